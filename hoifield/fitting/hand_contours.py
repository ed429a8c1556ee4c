"""Where on a posed hand's skin its outline is made, and which part of it belongs to which point of the mask's outline."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree
from torch import Tensor

from hoifield.geometry.rasterise import rasterise_mesh

FACING = 10.0
"""Pixels that a difference of one in the direction of two outlines counts: the far side of a finger is no neighbour of the near one."""
SMOOTH = 2.0
"""Standard deviation, pixels, over which an outline's direction is taken."""


@dataclass(frozen=True)
class OutlinePairs:
    """One point of the skin for each point of a mask's outline."""

    corners: Int[Tensor, "frame point 3"]
    """Vertices of the face that it lies on."""
    share: Float[Tensor, "frame point 3"]
    """Its barycentric coordinates."""
    weight: Float[Tensor, "frame point"]
    """How much the point of the mask's outline counts."""

    def points(self, vertices: Float[Tensor, "frame vertex 3"]) -> Float[Tensor, "frame point 3"]:
        """The points of the skin of a hand posed so, in the frame of its vertices."""
        frame = torch.arange(len(vertices), device=vertices.device)[:, None, None]
        return (vertices[frame, self.corners] * self.share[..., None]).sum(2)


def outline_directions(inside: Bool[np.ndarray, "row column"]) -> Float[np.ndarray, "row column 2"]:
    """Unit direction (x, y) out of a region, near its outline; zero far from it."""
    smooth = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), SMOOTH)
    gradient = -np.stack([cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)], -1)
    return gradient / np.maximum(np.linalg.norm(gradient, axis=-1, keepdims=True), 1e-6)


def pair_outlines(
    vertices: Float[Tensor, "frame vertex 3"],
    faces: Int[Tensor, "face 3"],
    K: Float[Tensor, "3 3"],
    corner: Float[Tensor, "frame 2"],
    size: tuple[int, int],
    outline: Float[Tensor, "frame point 2"],
    direction: Float[Tensor, "frame point 2"],
    weight: Float[Tensor, "frame point"],
) -> OutlinePairs:
    """For each point of the masks' outlines the nearest that the drawn hand has, looking the same way.

    Vertices in the camera's frame, drawn in crops of one `size` (rows, columns) with their left and top at `corner`; `outline` in pixels, `direction`
    out of the mask. Frames whose crop does not show the hand get the weight 0.
    """
    triangles, camera = faces.cpu().numpy(), K.double().cpu().numpy()
    wanted = torch.cat([outline, FACING * direction], -1).cpu().numpy()
    corners, share = np.zeros((*outline.shape[:2], 3), np.int64), np.zeros((*outline.shape[:2], 3), np.float32)
    shown = np.zeros(len(vertices), np.float32)
    for frame, (posed, (left, top)) in enumerate(zip(vertices.double().cpu().numpy(), corner.cpu().numpy())):
        drawn = _draw_outline(posed, triangles, camera - np.array([[0, 0, left], [0, 0, top], [0, 0, 0]]), size)
        if len(drawn.place):
            nearest = cKDTree(drawn.place + np.array([left, top, 0, 0])).query(wanted[frame])[1]
            corners[frame], share[frame], shown[frame] = triangles[drawn.face[nearest]], drawn.share[nearest], 1.0
    seen = [torch.from_numpy(array).to(vertices.device) for array in (corners, share, shown)]
    return OutlinePairs(seen[0], seen[1], weight * seen[2][:, None])


@dataclass(frozen=True)
class _DrawnOutline:
    """Pixels of a drawn hand beside others that are not."""

    place: Float[np.ndarray, "pixel 4"]
    """Where it is, and FACING times its direction out of the hand."""
    face: Int[np.ndarray, "pixel"]
    share: Float[np.ndarray, "pixel 3"]


def _draw_outline(
    vertices: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"], K: Float[np.ndarray, "3 3"], size: tuple[int, int]
) -> _DrawnOutline:
    _, face, barycentric = rasterise_mesh(vertices, faces, K, size[1], size[0])
    inside = face >= 0
    whole = cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1).astype(bool)
    rows, columns = np.nonzero(inside & ~whole)
    place = np.column_stack([columns + 0.5, rows + 0.5, FACING * outline_directions(inside)[rows, columns]])
    return _DrawnOutline(place, face[rows, columns], barycentric[rows, columns])
