"""A finished run in the format that another program reads; for some of them the clip and its masks are needed beside the result."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, assert_never

import cv2

from hoifield.clip.clip import Clip
from hoifield.datasets.arctic_submission import add_to_submission, encode_arctic_prediction
from hoifield.datasets.hold_build import write_hold_build
from hoifield.datasets.truth import Labels
from hoifield.errors import MissingInput, UsageError
from hoifield.pipelines.write_outputs import find_clip
from hoifield.result.colmap_model import encode_colmap_model
from hoifield.result.export import export_result
from hoifield.result.frame_meshes import FrameMeshFormat, write_frame_meshes
from hoifield.result.nerfstudio_folder import write_nerfstudio
from hoifield.result.object_cameras import object_cameras
from hoifield.result.result_folder import read_result
from hoifield.storage import commit_directory, write_file

RunFormat = Literal["glb", "ply", "obj", "usd", "npz", "mano", "colmap", "nerfstudio", "hold", "arctic"]


@dataclass(frozen=True)
class Export:
    """What was written."""

    path: Path
    left_out: tuple[int, ...] = ()
    """Numbers of the frames that are not in it, since the object has no pose there."""


def export_run(run: Path, run_format: RunFormat, out: Path | None, frames: bool = False) -> Export:
    """Write a run's result to `out`; by default below RUN/exports, named as the run folder.

    glb, ply, obj, usd, npz and mano are files of the result alone (`export_result`). ply and obj with `frames` are a folder of the
    meshes of every frame (`write_frame_meshes`). colmap is a folder with a text model of the cameras around the object, nerfstudio a
    data set of them with pictures and masks. hold is a build folder that HOLD can start from. arctic is the zip of HOLD's ARCTIC server:
    the run folder's name is the sequence, and an existing zip keeps its other clips. Raises UsageError (HF-EXP-006) for `frames` with
    another format, MissingInput (HF-EXP-003) where the clip or its masks are needed and gone.
    """
    name = run.resolve().name
    exports = run / "exports"
    if frames and run_format not in ("ply", "obj"):
        raise UsageError("HF-EXP-006", f"--frames goes with ply and obj, not with {run_format}", "name --format ply or --format obj")
    match run_format:
        case "ply" | "obj" if frames:
            return _export_frames(run, run_format, out or exports / f"{name}_{run_format}")
        case "glb" | "ply" | "obj" | "usd" | "npz":
            return Export(export_result(run, run_format, out or exports / f"{name}.{run_format}"))
        case "mano":
            return Export(export_result(run, run_format, out or exports / f"{name}_mano.npz"))
        case "colmap":
            return _export_colmap(run, out or exports / f"{name}_colmap")
        case "nerfstudio":
            return _export_nerfstudio(run, out or exports / f"{name}_nerfstudio")
        case "hold":
            return _export_hold(run, out or exports / name / "build")
        case "arctic":
            path = out or exports / "arctic_preds.zip"
            add_to_submission(path, name, encode_arctic_prediction(read_result(run / "result"), name))
            return Export(path)
        case _:
            assert_never(run_format)


def _export_frames(run: Path, kind: FrameMeshFormat, out: Path) -> Export:
    result = read_result(run / "result")
    commit_directory(out, lambda folder: write_frame_meshes(folder, result, kind))
    return Export(out)


def _export_colmap(run: Path, out: Path) -> Export:
    result = read_result(run / "result")
    cameras = object_cameras(result)
    model = encode_colmap_model(cameras, result.object_mesh)

    def write(folder: Path) -> None:
        for name, content in model.items():
            write_file(folder / name, content)

    commit_directory(out, write)
    return Export(out, cameras.left_out)


def _export_nerfstudio(run: Path, out: Path) -> Export:
    clip, read_labels = _find_pictures(run)
    result = read_result(run / "result")
    cameras = object_cameras(result)
    pictures = clip.read_frames(cameras.frame_index.tolist(), result.image_size)
    commit_directory(out, lambda folder: write_nerfstudio(folder, cameras, result.object_mesh, pictures, read_labels))
    return Export(out, cameras.left_out)


def _export_hold(run: Path, out: Path) -> Export:
    clip, read_labels = _find_pictures(run)
    result = read_result(run / "result")
    name = run.resolve().name

    def write(folder: Path) -> None:
        write_hold_build(folder, result, clip.read_frames(), read_labels, name)

    commit_directory(out, write)
    return Export(out)


def _find_pictures(run: Path) -> tuple[Clip, Callable[[int], Labels]]:
    """The clip of a run, and the labels that were observed in its frames. Raises MissingInput (HF-EXP-003)."""
    clip = find_clip(run)
    observed = sorted((run / "stages" / "observe").glob("*/masks"))
    if clip is None or not observed:
        missing = "the clip is no longer where it was fitted, or has changed" if clip is None else "the run keeps no masks"
        raise MissingInput("HF-EXP-003", f"{run.resolve().name}: {missing}", "put the clip back where it was, or fit it again")
    return clip, lambda frame: _read_mask(observed[-1] / f"{frame:06d}.png")


def _read_mask(path: Path) -> Labels:
    labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if labels is None:
        raise MissingInput("HF-EXP-003", f"the observed mask {path.name} is not there", "fit the clip again")
    return labels
