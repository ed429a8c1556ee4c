"""Draws the pictures of docs/concepts.md from a finished run and the truth of its clip: `python docs/draw_concepts.py demo/run demo/clip`.

Both are what `make demo` leaves. The pictures go to docs/pictures; a file that is there is replaced.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

from hoifield.clip.clip import Clip
from hoifield.fields.density import density_from_distance
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.observations.observations import Observations
from hoifield.pipelines.follow_run import begin
from hoifield.report.draw_meshes import find_outline
from hoifield.report.overlay_video import draw_overlay_frame, posed_meshes
from hoifield.report.turntable import render_turntable
from hoifield.report.viewed_run import colour_by_sightings
from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import read_result

PICTURES = Path(__file__).resolve().parent / "pictures"
HEIGHT = 360
OBJECT, HAND = np.array([224, 122, 60]), np.array([110, 178, 120])
FINGER_TIPS = [8, 12, 16, 20]
WIDTH = 0.002
"""Width of the surfaces in the picture of a ray, metres: twice that at the end of a fit, so that the weights have a width to be seen."""


def read_frame(clip: Clip, frame: int) -> UInt8[np.ndarray, "height width 3"]:
    """One frame at the height of the pictures."""
    size = (round(clip.width * HEIGHT / clip.height), HEIGHT)
    return next(picture for number, picture in clip.read_frames(size=size) if number == frame)


def draw_observed(picture: UInt8[np.ndarray, "height width 3"], observations: Observations, frame: int, scale: float) -> UInt8[np.ndarray, "height width 3"]:
    """Labels and keypoints over a frame."""
    labels = cv2.resize(observations.masks.labels[frame], picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    shown = picture.astype(float)
    for label, colour in ((1, OBJECT), (2, HAND), (3, HAND)):
        shown[labels == label] = 0.45 * shown[labels == label] + 0.55 * colour
    drawn = shown.astype(np.uint8)
    for hand in observations.hands:
        for point in hand.keypoints[frame] * scale:
            if np.isfinite(point).all():
                cv2.circle(drawn, tuple(np.round(point).astype(int).tolist()), 3, (20, 40, 200), -1, cv2.LINE_AA)
    return drawn


def draw_axes(picture: UInt8[np.ndarray, "height width 3"], result: FitResult, row: int, scale: float) -> UInt8[np.ndarray, "height width 3"]:
    """The axes of object and hand over a frame: x red, y green, z blue, 6 cm long."""
    drawn, K = picture.copy(), np.diag([scale, scale, 1.0]) @ result.K[row]
    for T in (result.T_camera_object[row], *(hand.T_camera_hand[row] for hand in result.hands)):
        ends = T[:3, 3] + 0.06 * np.concatenate([np.zeros((1, 3)), T[:3, :3].T])
        pixels = ends @ K.T
        origin, *tips = np.round(pixels[:, :2] / pixels[:, 2:]).astype(int).tolist()
        for tip, colour in zip(tips, ((220, 40, 40), (30, 150, 30), (40, 70, 220)), strict=True):
            cv2.arrowedLine(drawn, origin, tip, (255, 255, 255), 6, cv2.LINE_AA, tipLength=0.15)
            cv2.arrowedLine(drawn, origin, tip, colour, 3, cv2.LINE_AA, tipLength=0.15)
    return drawn


def draw_shapes(meshes: list[Mesh]) -> UInt8[np.ndarray, "height width 3"]:
    """Each mesh in a row of its own, from five sides and from above."""
    return np.concatenate([render_turntable(mesh, views=5, size=180, clay=mesh.colours is None)[:, : 6 * 180] for mesh in meshes], axis=0)


def distances(meshes: list[Mesh], points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "mesh point"]:
    """Signed distances to object and hand."""
    return np.stack([MeshDistance(mesh.vertices, mesh.faces).closest(points).signed_distance for mesh in meshes])


def draw_slice(result: FitResult, row: int) -> UInt8[np.ndarray, "height width 3"]:
    """A cut through object and hand along a camera ray: lines of equal distance, the ray, and the weights that its samples get."""
    meshes, _ = posed_meshes(result, row)
    # a ray at the height of the finger tips that meets the object
    x, y = result.T_camera_object[row, 0, 3], result.hands[0].joints[row, FINGER_TIPS, 1].mean()
    z = result.T_camera_object[row, 2, 3]
    columns, rows = 900, 540
    depth = z + (np.arange(columns) - columns / 2) * 0.24 / columns
    across = x / z * depth[None, :] + (np.arange(rows)[:, None] - rows / 2) * 0.24 / columns
    points = np.stack([across, np.broadcast_to(y / z * depth, across.shape), np.broadcast_to(depth, across.shape)], -1)
    both = distances(meshes, points.reshape(-1, 3)).reshape(2, rows, columns)
    nearest = both.min(0)
    picture = np.where((np.floor(nearest / 0.005) % 2 == 0)[..., None], 250.0, 238.0) * np.ones(3)
    for distance, colour in zip(both, (OBJECT, HAND), strict=True):
        picture[distance < 0] = 0.35 * picture[distance < 0] + 0.65 * colour
    picture[find_outline(np.where(nearest < 0, both.argmin(0), -1))] = 30
    drawn, middle = picture.astype(np.uint8), rows // 2
    cv2.line(drawn, (0, middle), (columns, middle), (40, 70, 220), 1, cv2.LINE_AA)
    density = density_from_distance(torch.from_numpy(both[:, middle]), WIDTH).numpy()
    optical = density.sum(0) * (depth[1] - depth[0])
    weight = np.exp(-np.concatenate([[0.0], np.cumsum(optical)[:-1]])) * (1 - np.exp(-optical))
    bars = np.round(weight / weight.max() * 0.2 * rows).astype(int)
    for column, (bar, of_object) in enumerate(zip(bars, density[0] > density[1], strict=True)):
        cv2.line(drawn, (column, rows - 1), (column, rows - 1 - int(bar)), tuple((OBJECT if of_object else HAND).tolist()), 1)
    return drawn


def main() -> None:
    """Writes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("truth", type=Path)
    folders = parser.parse_args()
    begun = begin(folders.run)
    assert begun is not None and begun.observations.object_track is not None
    result, truth = read_result(folders.run / "result"), read_result(folders.truth)
    row = len(result.frame_index) // 3
    frame = int(result.frame_index[row])
    picture = read_frame(begun.clip, frame)
    scale = HEIGHT / begun.clip.height
    fitted, hull = result.object_mesh, begun.observations.object_track.hull
    drawings = {
        "observed": np.concatenate([picture, draw_observed(picture, begun.observations, frame, scale), draw_overlay_frame(picture, result, row)], 1),
        "frames": draw_axes(draw_overlay_frame(picture, result, row, 0.5), result, row, scale),
        "shapes": draw_shapes([Mesh(mesh.vertices, mesh.faces) for mesh in (hull, fitted, truth.object_mesh)]),
        "slice": draw_slice(result, row),
        "seen": draw_shapes([fitted, colour_by_sightings(result)]),
    }
    PICTURES.mkdir(exist_ok=True)
    for name, drawing in drawings.items():
        cv2.imwrite(str(PICTURES / f"{name}.jpg"), drawing[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])


if __name__ == "__main__":
    main()
