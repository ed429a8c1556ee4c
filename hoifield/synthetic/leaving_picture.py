"""An object that is carried out of the picture in the middle of a clip, and brought back."""

import numpy as np
from jaxtyping import Float

from hoifield.synthetic.hand_object_motion import HandObjectMotion
from hoifield.synthetic.scene_mesh import SceneParts

WAY_SHARE = 0.2
"""Share of the clip's time that the way out takes, and the way back."""
CLEAR = 0.002
"""Gap between the object and the rays along the picture's edge in the frame that asks for the longest way, metres."""
WAY_DOWN = np.array([0.0, 1.0])


def leave_picture(parts: SceneParts, motion: HandObjectMotion, share: float, focal_ratio: float) -> HandObjectMotion:
    """The motion with a smooth shift, across the view, that keeps the whole object out of the picture for that share of the frames.

    The shift is h (1 + cos(2 pi (t - 1/2) / w)) / 2 over a share w of the time t, around the middle of the clip, along the forearm as the
    picture shows it; h is the least with which every frame of |t - 1/2| <= share / 2 shows nothing of the object. Orientations, and where
    the object lies in the hand, stay as they are.
    """
    if share == 0:
        return motion
    way = _way_out(parts, motion)
    time = np.arange(motion.frames) / max(motion.frames - 1, 1) - 0.5
    width = share + 2 * WAY_SHARE
    rise = np.where(np.abs(time) < width / 2, (1 + np.cos(2 * np.pi * time / width)) / 2, 0.0)
    gone = np.nonzero(np.abs(time) <= share / 2 + 1e-9)[0]
    farthest = max(
        _least_shift(parts.object_mesh.moved(motion.T_camera_object[row]).vertices, way, focal_ratio) / rise[row] for row in gone
    )
    shift = np.zeros((motion.frames, 3))
    shift[:, :2] = farthest * rise[:, None] * way
    return motion.shifted(shift)


def _way_out(parts: SceneParts, motion: HandObjectMotion) -> Float[np.ndarray, "2"]:
    """Unit vector in the picture: from the hands that hold along their forearms, on the mean of all frames; down where they point along
    the view."""
    sign = 1.0 if parts.actor.side == "right" else -1.0
    arm = sign * motion.T_camera_hand[:, :2, 0].mean(0)
    if motion.second is not None and motion.second.holds:
        arm = arm - sign * motion.of_second().T_camera_hand[:, :2, 0].mean(0)
    length = float(np.linalg.norm(arm))
    return arm / length if length > 0.2 else WAY_DOWN


def _least_shift(points: Float[np.ndarray, "vertex 3"], way: Float[np.ndarray, "2"], focal_ratio: float) -> float:
    """Length of the shortest shift along the way after which all points project beyond one edge of the picture, metres."""
    shifts = []
    for axis in range(2):
        if abs(way[axis]) > 1e-6:
            missing = points[:, 2] / (2 * focal_ratio) - np.sign(way[axis]) * points[:, axis] + CLEAR
            shifts.append(float(missing.max()) / abs(float(way[axis])))
    return max(min(shifts), 0.0)
