"""A result as one file that another program reads."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, assert_never

import numpy as np

from hoifield.actors.skinned_model import Side, SkinnedModel
from hoifield.errors import CannotCreateOutput, UsageError
from hoifield.result.fit_result import FitResult
from hoifield.result.mano_parameters import encode_mano_parameters
from hoifield.result.mesh_files import write_mesh
from hoifield.result.result_folder import encode_poses, read_result
from hoifield.result.scene_glb import encode_scene
from hoifield.result.usd_file import encode_usd
from hoifield.storage import write_file

ExportFormat = Literal["glb", "ply", "obj", "usd", "npz", "mano"]
ENDINGS: dict[ExportFormat, tuple[str, ...]] = {
    "glb": (".glb",),
    "ply": (".ply",),
    "obj": (".obj",),
    "usd": (".usda", ".usd"),
    "npz": (".npz",),
    "mano": (".npz",),
}


def export_result(
    run_folder: Path, export_format: ExportFormat, out: Path, actor_models: Mapping[Side, SkinnedModel | None] | None = None
) -> Path:
    """Write one file out of `run_folder`/result and return its path.

    glb and usd hold the animated scene (a glb takes the hand's skin from `actor_models`; without them the one in result/scene.glb
    is copied if it is there, else hands move rigidly), ply and obj the object mesh in its own frame, npz the arrays of poses.npz with
    `object_vertices`, `object_faces` and `object_colours` beside them, mano the parameters of `encode_mano_parameters`. Raises
    UsageError (HF-EXP-001) for a file name of another format, CannotCreateOutput (HF-EXP-002) when the folder cannot be made, and the
    errors of `read_result` and `encode_mano_parameters`.
    """
    if out.suffix.lower() not in ENDINGS[export_format]:
        expected = " or ".join(ENDINGS[export_format])
        raise UsageError("HF-EXP-001", f"{out.name!r} does not end in {expected}", f"Name a file ending in {expected}.")
    result = read_result(run_folder / "result")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotCreateOutput("HF-EXP-002", f"the folder of {out.name} cannot be made ({error})", "Name another folder.") from error
    match export_format:
        case "glb":
            write_file(out, _scene(run_folder, result, actor_models))
        case "ply" | "obj":
            write_mesh(out, result.object_mesh)
        case "usd":
            write_file(out, encode_usd(result))
        case "npz":
            write_file(out, _bundle(result))
        case "mano":
            write_file(out, encode_mano_parameters(result))
        case _:
            assert_never(export_format)
    return out


def _scene(run_folder: Path, result: FitResult, actor_models: Mapping[Side, SkinnedModel | None] | None) -> bytes:
    finished = run_folder / "result" / "scene.glb"
    if actor_models is None and finished.is_file():
        return finished.read_bytes()
    return encode_scene(result, actor_models or {})


def _bundle(result: FitResult) -> bytes:
    with np.load(io.BytesIO(encode_poses(result)), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays |= {"object_vertices": result.object_mesh.vertices, "object_faces": result.object_mesh.faces}
    if result.object_mesh.colours is not None:
        arrays["object_colours"] = result.object_mesh.colours
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    return stream.getvalue()
