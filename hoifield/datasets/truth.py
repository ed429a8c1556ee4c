"""What is known about a clip, wherever it comes from; and the folder that holds it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from hoifield.errors import MissingInput, RefusedInput
from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import read_result, write_result
from hoifield.storage import write_file

Labels = UInt8[np.ndarray, "height width"]


@dataclass(frozen=True)
class Truth:
    """The true answer in the record of results. Frames, poses and hands that are not known are NaN, with confidence 0.

    A hand known by its joints alone has no vertices; its finger angles are NaN where the set gives them in MANO's terms and the user
    has no MANO file.
    """

    result: FitResult
    vertex_seen: Bool[np.ndarray, "vertex"] | None = None
    """Which vertices of the object any frame shows."""
    read_labels: Callable[[int], Labels | None] | None = None
    """Label picture (0 background, 1 object, 2 right hand, 3 left hand) of a clip frame; None for a frame without one."""


@dataclass(frozen=True)
class TruthFolder:
    """A folder in the project's own format, as `synth` and `write_truth` write it."""

    folder: Path


def find_truth_folder(path: Path) -> TruthFolder | None:
    """The folder, None where it holds no result.json."""
    return TruthFolder(path) if (path / "result.json").is_file() else None


def read_truth_folder(layout: TruthFolder) -> Truth:
    """The truth in a folder. Errors as `read_result`; RefusedInput (HF-EVA-003); MissingInput (HF-EVA-002) when a mask is asked for."""
    folder = layout.folder
    result = read_result(folder)
    seen = _read_seen(folder / "truth.npz", len(result.object_mesh.vertices))
    masks = folder / "masks"
    return Truth(result, seen, (lambda frame: _read_mask(masks, frame)) if masks.is_dir() else None)


def write_truth(folder: Path, truth: Truth) -> None:
    """Write a truth folder: result.json, object.ply, poses.npz; truth.npz and masks/%06d.png where they are known."""
    write_result(folder, truth.result)
    if truth.vertex_seen is not None:
        np.savez_compressed(folder / "truth.npz", vertex_seen=truth.vertex_seen)
    if truth.read_labels is not None:
        for frame in truth.result.frame_index:
            labels = truth.read_labels(int(frame))
            if labels is not None:
                write_file(folder / "masks" / f"{frame:06d}.png", cv2.imencode(".png", labels)[1].tobytes())


def _read_seen(path: Path, vertices: int) -> Bool[np.ndarray, "vertex"] | None:
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        if "vertex_seen" not in arrays:
            return None
        seen: Bool[np.ndarray, "vertex"] = arrays["vertex_seen"].astype(bool)
    if len(seen) != vertices:
        cause = f"truth.npz speaks of {len(seen)} vertices, object.ply has {vertices}"
        raise RefusedInput("HF-EVA-003", cause, "generate the truth folder again")
    return seen


def _read_mask(folder: Path, frame: int) -> Labels:
    path = folder / f"{frame:06d}.png"
    labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if labels is None:
        raise MissingInput("HF-EVA-002", f"mask {path.name} is missing from {folder}", "generate the truth folder again")
    return labels if labels.ndim == 2 else labels[..., 0]
