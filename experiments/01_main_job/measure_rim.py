"""What the rim of the green mug (forehoi-wild1) says about poses: an independent witness where no truth is known.

    python experiments/01_main_job/measure_rim.py OBSERVATIONS

OBSERVATIONS is a folder of `hoifield observe`, or a run folder of that clip. A rim is a circle, so its ellipse in a picture and the camera
give the direction in which the mug opens, frame by frame. Right poses carry all of these to one direction of the object; how far they
scatter about it is an error of rotation that neither silhouettes nor reprojection can hide. Poses are also tried reversed in depth:
turned the other way about the axes across the view, which far away gives the same silhouettes and the same tracks (Necker's reversal).
"""

import sys
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from hoifield.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hoifield.observations.hand_locked_poses import view_span
from hoifield.observations.observations_folder import load_observations
from hoifield.observations.track_object import holding_hand

RIMS = {
    24: (483.3, 453.7, 245.0, 428.1, 104.6, (0.0, -1.0)),
    78: (438.7, 382.8, 85.6, 354.3, 130.8, (0.7, -0.7)),
    96: (366.3, 340.7, 47.9, 353.6, 97.7, (0.0, -1.0)),
    135: (391.0, 446.1, 226.0, 332.8, 96.9, (0.0, -1.0)),
    146: (543.8, 519.8, 241.6, 348.0, 153.7, (0.7, -0.7)),
    160: (602.7, 585.6, 61.2, 328.8, 177.1, (1.0, 0.0)),
}
"""By frame: centre, diameters and turn (degrees, of the first diameter) of the rim's ellipse, pixels of the clip, fitted to the bright
ring of steel (85 to 154 points each); and to which side the mug opens in the picture, which tells the two circles of an ellipse apart."""
PARTS = (slice(0, 136), slice(136, None))
"""Frames that structure from motion places together."""


def rim_conic(rim: tuple[float, float, float, float, float, tuple[float, float]]) -> Float[np.ndarray, "3 3"]:
    """The ellipse as the zeros of a quadratic form on homogeneous pixels."""
    x, y, width, height, degrees, _ = rim
    turn = np.radians(degrees)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    form, centre = axes @ np.diag([4 / width**2, 4 / height**2]) @ axes.T, np.array([x, y])
    conic = np.zeros((3, 3))
    conic[:2, :2], conic[:2, 2], conic[2, :2], conic[2, 2] = form, -form @ centre, -form @ centre, centre @ form @ centre - 1
    return conic


def opening(K: Float[np.ndarray, "3 3"], frame: int) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Direction in which the mug opens, and the sight line to its rim, both in the camera; of the two circles the one that opens rightly."""
    values, vectors = np.linalg.eigh(K.T @ rim_conic(RIMS[frame]) @ K)
    least, middle, most = values
    sight = np.linalg.solve(K, np.array([*RIMS[frame][:2], 1.0]))
    sight /= np.linalg.norm(sight)
    found = []
    for sign in (1.0, -1.0):
        normal = sign * np.sqrt((most - middle) / (most - least)) * vectors[:, 2] + np.sqrt((middle - least) / (most - least)) * vectors[:, 0]
        normal = -normal if normal @ sight > 0 else normal
        across = normal - sight * (normal @ sight)
        found.append((float(across[:2] @ RIMS[frame][5]), normal))
    return max(found, key=lambda pair: pair[0])[1], sight


def reverse_depth(T: Float[np.ndarray, "frame 4 4"]) -> Float[np.ndarray, "frame 4 4"]:
    """The poses turned the other way about axes across the view, from their mean rotation; turns about the view and places stay."""
    u, _, vt = np.linalg.svd(T[:, :3, :3].sum(0))
    mean = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    turned = T[:, :3, :3] @ mean.T
    angle = np.arctan2(turned[:, 1, 0] - turned[:, 0, 1], turned[:, 0, 0] + turned[:, 1, 1])
    about_view = matrix_from_axis_angle(torch.from_numpy(np.outer(angle, [0.0, 0.0, 1.0]))).numpy()
    swing = axis_angle_from_matrix(torch.from_numpy(about_view.transpose(0, 2, 1) @ turned))
    reversed_poses = T.copy()
    reversed_poses[:, :3, :3] = about_view @ matrix_from_axis_angle(-swing).numpy() @ mean
    return reversed_poses


def report(name: str, T: Float[np.ndarray, "frame 4 4"], K: Float[np.ndarray, "3 3"], part: slice) -> None:
    """One line: how far each rim is off the one direction, and the tilts (from facing the camera) beside those that the rims show."""
    frames = [frame for frame in RIMS if frame in range(len(T))[part]]
    seen = [opening(K, frame) for frame in frames]
    in_object = np.array([T[frame, :3, :3].T @ normal for frame, (normal, _) in zip(frames, seen, strict=True)])
    mean = in_object.mean(0) / np.linalg.norm(in_object.mean(0))
    off = np.degrees(np.arccos(np.clip(in_object @ mean, -1, 1)))
    tilts = [[np.degrees(np.arccos(-axis @ sight)) for axis in (T[frame, :3, :3] @ mean, normal)] for frame, (normal, sight) in zip(frames, seen, strict=True)]
    words = ", ".join(f"{frame}: {degrees:.0f} ({pose:.0f} for {rim:.0f})" for frame, degrees, (pose, rim) in zip(frames, off, tilts, strict=True))
    print(f"{name:34s} rms {np.sqrt((off**2).mean()):4.1f} deg, view span {view_span(T[part]):3.0f}; frame: off (tilt for rim's) {words}")


def main() -> None:
    """Prints a line for the object's poses, the same reversed in depth, and the hand's, over the clip and over each part."""
    folder = Path(sys.argv[1])
    if (folder / "stages" / "observe").is_dir():
        folder = sorted((folder / "stages" / "observe").iterdir())[-1]
    observed = load_observations(folder)
    hand = holding_hand(observed.hands, observed.masks)
    if hand is None or observed.object_track is None:
        sys.exit("these observations hold no hand with an object")
    K = observed.camera.K
    for part in (slice(None), *PARTS):
        object_poses = observed.object_track.T_camera_object
        backwards = object_poses.copy()
        backwards[part] = reverse_depth(object_poses[part])
        frames = range(len(object_poses))[part]
        for name, poses in (("object", object_poses), ("object, reversed in depth", backwards), ("hand", hand.T_camera_hand)):
            report(f"{name}, {frames.start} to {frames.stop - 1}", poses, K, part)


if __name__ == "__main__":
    main()
