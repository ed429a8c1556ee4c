"""How smooth a motion is: the third derivative of positions."""

import numpy as np
from jaxtyping import Float, Int

from hoifield.geometry.mesh import Mesh, face_normals

WINDOW = 4
"""Frames that one third derivative needs."""


def jerk(
    positions: Float[np.ndarray, "frame 3"], time_s: Float[np.ndarray, "frame"], frame_index: Int[np.ndarray, "frame"]
) -> Float[np.ndarray, "window"]:
    """Length of the third derivative of a position over every four frames in a row, m/s^3.

    Six times the third divided difference: exact for cubic motion, also where frames are unevenly spaced in time. NaN for a window
    that lacks a position or whose frame numbers do not follow each other by the smallest step; empty for fewer than four frames.
    """
    windows = len(positions) - WINDOW + 1
    if windows < 1:
        return np.zeros(0)
    index = np.arange(windows)[:, None] + np.arange(WINDOW)
    t = time_s[index]
    weights = np.ones((windows, WINDOW))
    for i in range(WINDOW):
        for j in range(WINDOW):
            if i != j:
                weights[:, i] /= t[:, i] - t[:, j]
    lengths = 6.0 * np.linalg.norm(np.einsum("wk,wka->wa", weights, positions[index]), axis=1)
    steps = np.diff(frame_index)
    lengths[(steps[index[:, :-1]] != steps.min()).any(1)] = np.nan
    return lengths


def surface_centre(mesh: Mesh) -> Float[np.ndarray, "3"]:
    """Centre of the surface (area-weighted mean of the faces' centres), in the frame of the mesh."""
    _, areas = face_normals(mesh)
    return (mesh.vertices[mesh.faces].mean(1) * areas[:, None]).sum(0) / areas.sum()
