"""The meshes and poses of a result as the page's viewer reads them."""

import base64
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from hoifield.geometry.mesh import Mesh
from hoifield.report.draw_meshes import CLAY
from hoifield.result.fit_result import FitResult, HandResult

MOST_FRAMES = 240
MOST_FACES = 80_000


def encode_viewer_scene(result: FitResult, rows: Int[np.ndarray, "kept"] | None = None, most_faces: int = MOST_FACES) -> dict[str, Any]:
    """JSON values: object mesh, its column-order poses (null without one), hands as 16-bit vertices per frame, confidence, time.

    Of the `rows` of the result, by default at most 240 evenly spread ones. Larger meshes are thinned (vertices merged on a grid): for the
    page only.
    """
    rows = thin_rows(len(result.frame_index)) if rows is None else rows
    mesh = thin_mesh(result.object_mesh, most_faces)
    colours = mesh.colours if mesh.colours is not None else np.tile(CLAY, (len(mesh.vertices), 1))
    poses = [result.T_camera_object[row].T.reshape(-1).round(6).tolist() if result.object_confidence[row] > 0 else None for row in rows]
    return {
        "object": {
            "positions": _base64(mesh.vertices.astype("<f4")),
            "faces": _base64(mesh.faces.astype("<u4")),
            "colours": _base64(np.round(np.clip(colours, 0, 1) * 255).astype(np.uint8)),
        },
        "T_camera_object": poses,
        "object_confidence": result.object_confidence[rows].astype(float).round(3).tolist(),
        "time_s": result.time_s[rows].astype(float).round(4).tolist(),
        "frame_index": [int(frame) for frame in result.frame_index[rows]],
        "hands": [_encode_hand(hand, rows) for hand in result.hands],
    }


def thin_rows(frames: int) -> Int[np.ndarray, "kept"]:
    """At most 240 rows, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(0, frames - 1, min(frames, MOST_FRAMES)).round().astype(int))


def thin_mesh(mesh: Mesh, most_faces: int = MOST_FACES) -> Mesh:
    """The mesh itself where it is small enough, else its vertices merged on ever coarser grids (Rossignac and Borrel 1993)."""
    thinned = mesh
    cells = 320.0
    while len(thinned.faces) > most_faces and cells > 4:
        thinned = _merge_on_grid(mesh, float(mesh.extent.max()) / cells)
        cells *= 0.8
    return thinned


def _merge_on_grid(mesh: Mesh, side: float) -> Mesh:
    cells = np.floor((mesh.vertices - mesh.vertices.min(0)) / max(side, 1e-12)).astype(np.int64)
    _, group, size = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    group = group.reshape(-1)

    def mean(values: Float[np.ndarray, "vertex 3"]) -> Float[np.ndarray, "cell 3"]:
        return np.stack([np.bincount(group, weights=values[:, k]) for k in range(3)], axis=1) / size[:, None]

    faces = group[mesh.faces]
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    return Mesh(mean(mesh.vertices), faces, None if mesh.colours is None else mean(mesh.colours))


def _encode_hand(hand: HandResult, rows: Int[np.ndarray, "kept"]) -> dict[str, Any]:
    """Vertices as 16-bit steps of the box of all frames: a step is below 0.02 mm for a box of 1 m."""
    confidence = hand.confidence[rows].astype(float)
    seen = confidence > 0
    vertices = np.where(seen[:, None, None], hand.vertices[rows].astype(np.float64), 0.0)
    present = vertices[seen].reshape(-1, 3) if seen.any() else np.zeros((1, 3))
    lower, upper = present.min(0), present.max(0)
    step = np.maximum(upper - lower, 1e-9) / 65535.0
    frames = np.clip(np.round((vertices - lower) / step), 0, 65535).astype("<u2")
    return {
        "side": hand.side,
        "vertices": int(vertices.shape[1]),
        "faces": _base64(hand.faces.astype("<u4")),
        "frames": _base64(frames),
        "lower": lower.tolist(),
        "step": step.tolist(),
        "confidence": confidence.round(3).tolist(),
    }


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
