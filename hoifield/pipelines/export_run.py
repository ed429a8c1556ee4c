"""A finished run in the format that another program reads; for two of them the clip and its masks are needed beside the result."""

from pathlib import Path
from typing import Literal, assert_never

import cv2

from hoifield.datasets.arctic_submission import add_to_submission, encode_arctic_prediction
from hoifield.datasets.hold_build import write_hold_build
from hoifield.datasets.truth import Labels
from hoifield.errors import MissingInput
from hoifield.pipelines.write_outputs import find_clip
from hoifield.result.export import export_result
from hoifield.result.result_folder import read_result
from hoifield.storage import commit_directory

RunFormat = Literal["glb", "ply", "obj", "usd", "npz", "hold", "arctic"]


def export_run(run: Path, run_format: RunFormat, out: Path | None) -> Path:
    """Write a run's result to `out` and return its path; by default below RUN/exports, named as the run folder.

    glb, ply, obj, usd and npz are files of the result alone (`export_result`). hold is a build folder that HOLD can start from. arctic
    is the zip of HOLD's ARCTIC server: the run folder's name is the sequence, and an existing zip keeps its other clips.
    """
    name = run.resolve().name
    match run_format:
        case "hold":
            return _export_hold(run, name, out or run / "exports" / name / "build")
        case "arctic":
            path = out or run / "exports" / "arctic_preds.zip"
            add_to_submission(path, name, encode_arctic_prediction(read_result(run / "result"), name))
            return path
        case "glb" | "ply" | "obj" | "usd" | "npz":
            return export_result(run, run_format, out or run / "exports" / f"{name}.{run_format}")
        case _:
            assert_never(run_format)


def _export_hold(run: Path, name: str, out: Path) -> Path:
    """The build folder, with the clip's pictures and the masks that were observed. Raises MissingInput (HF-EXP-003)."""
    clip = find_clip(run)
    observed = sorted((run / "stages" / "observe").glob("*/masks"))
    if clip is None or not observed:
        missing = "the clip is no longer where it was fitted, or has changed" if clip is None else "the run keeps no masks"
        raise MissingInput("HF-EXP-003", f"{name}: {missing}", "put the clip back where it was, or fit it again")
    result = read_result(run / "result")

    def write(folder: Path) -> None:
        write_hold_build(folder, result, clip.read_frames(), lambda frame: _read_mask(observed[-1] / f"{frame:06d}.png"), name)

    commit_directory(out, write)
    return out


def _read_mask(path: Path) -> Labels:
    labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if labels is None:
        raise MissingInput("HF-EXP-003", f"the observed mask {path.name} is not there", "fit the clip again")
    return labels
