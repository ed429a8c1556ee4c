"""What the viewer shows of a run, as plain numbers: where things stand in each frame, and in which colours. Knows nothing of a browser."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, assert_never

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from hoifield.clip.clip import Clip
from hoifield.geometry.mesh import Mesh
from hoifield.report.draw_meshes import CLAY
from hoifield.result.fit_result import FitResult
from hoifield.result.glb_file import GlbBuilder
from hoifield.result.measure_quality import count_sightings

World = Literal["camera", "object"]
"""What stands still: the camera of each frame, or the object."""
Colouring = Literal["filmed", "seen", "confidence"]
"""filmed: the fit's own colours. seen: in how many frames a place was seen. confidence: that of each pose, in each frame."""

PICTURE_SIDE = 640
"""Longest side of the clip's pictures, pixels."""
MOST_CAMERAS = 60
NEVER_SEEN = np.array([0.45, 0.25, 0.55])
LOW, MIDDLE, HIGH = np.array([0.86, 0.20, 0.16]), np.array([0.95, 0.80, 0.20]), np.array([0.20, 0.68, 0.36])


@dataclass(frozen=True)
class ViewedRun:
    """A state of a run: its result, what that comes from, and the clip's pictures as far as the clip is there."""

    name: str
    state: str
    """In words: finished, or the part of the fit that was last saved."""
    result: FitResult
    pictures: Mapping[int, bytes]
    """JPEG by frame of the clip; empty where the clip is not where it lay."""


@dataclass(frozen=True)
class PicturePlane:
    """A rectangle across the line of sight on which a picture of the clip covers what the camera saw; camera frame, metres."""

    centre: Float[np.ndarray, "3"]
    width: float
    height: float


def read_pictures(clip: Clip | None) -> dict[int, bytes]:
    """The clip's frames as JPEG, at most 640 pixels long, by frame number; none without a clip."""
    if clip is None:
        return {}
    scale = min(1.0, PICTURE_SIDE / max(clip.width, clip.height))
    size = (round(clip.width * scale), round(clip.height * scale))
    return {number: encode_picture(frame) for number, frame in clip.read_frames(size=size)}


def encode_picture(frame: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """JPEG of an RGB picture."""
    return cv2.imencode(".jpg", frame[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def decode_picture(jpeg: bytes) -> UInt8[np.ndarray, "height width 3"]:
    """RGB of a JPEG."""
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))[:, :, ::-1]


def place_camera(result: FitResult, row: int, world: World) -> Float[np.ndarray, "4 4"] | None:
    """T_world_camera of a frame; None where the object is the world and has no pose."""
    match world:
        case "camera":
            return np.eye(4)
        case "object":
            T = result.T_camera_object[row]
            return np.linalg.inv(T) if np.isfinite(T).all() else None
        case _:
            assert_never(world)


def spread_cameras(result: FitResult) -> Float[np.ndarray, "camera 4 4"]:
    """T_object_camera of at most 60 frames with an object pose, evenly spread over the clip."""
    posed = result.T_camera_object[np.isfinite(result.T_camera_object).all((1, 2))]
    chosen = np.unique(np.linspace(0, len(posed) - 1, min(len(posed), MOST_CAMERAS)).round().astype(int))
    return np.linalg.inv(posed[chosen])


def mean_up(result: FitResult, world: World) -> Float[np.ndarray, "3"]:
    """The direction, in the world, that is up in the pictures, on the mean over the frames."""
    ups = [-T[:3, 1] for T in (spread_cameras(result) if world == "object" else np.eye(4)[None])]
    total = np.sum(ups, axis=0) if ups else np.array([0.0, -1.0, 0.0])
    length = float(np.linalg.norm(total))
    # Over a whole turn the ups cancel; then the first will do.
    return total / length if length > 1e-3 * max(len(ups), 1) else np.asarray(ups[0])


def place_picture(result: FitResult, row: int) -> PicturePlane:
    """Where the clip's picture lies: behind everything that any frame shows."""
    (fx, _, cx), (_, fy, cy), _ = result.K[row]
    width, height = result.image_size
    depth = picture_depth(result)
    centre = np.array([(width / 2 - cx) / fx, (height / 2 - cy) / fy, 1.0]) * depth
    return PicturePlane(centre, width / fx * depth, height / fy * depth)


def picture_depth(result: FitResult) -> float:
    """Metres from the camera, a little beyond the farthest point of object and hands in any frame; 1 where nothing has a pose."""
    reach = float(np.linalg.norm(result.object_mesh.vertices, axis=1).max(initial=0.0))
    depths = [result.T_camera_object[:, 2, 3] + reach, *(hand.vertices[:, :, 2].reshape(-1) for hand in result.hands)]
    finite = np.concatenate(depths)
    finite = finite[np.isfinite(finite)]
    return 1.1 * float(finite.max()) if len(finite) else 1.0


def vertical_angle(result: FitResult, row: int) -> float:
    """Angle of view from the upper to the lower edge of the picture, radians."""
    return float(2 * np.arctan(result.image_size[1] / 2 / result.K[row, 1, 1]))


def confidence_colour(confidence: float) -> Float[np.ndarray, "3"]:
    """Red at 0, yellow at 0.5, green at 1."""
    share = float(np.clip(confidence, 0.0, 1.0)) * 2
    return LOW + (MIDDLE - LOW) * share if share < 1 else MIDDLE + (HIGH - MIDDLE) * (share - 1)


def colour_by_sightings(result: FitResult) -> Mesh:
    """The object coloured by the frames in which the camera saw each place: violet never, else red (few) to green (most)."""
    mesh, count = result.object_mesh, count_sightings(result)
    corners = mesh.faces.reshape(-1)
    around = np.bincount(corners, minlength=len(mesh.vertices))
    seen = np.bincount(corners, weights=np.repeat(count, 3), minlength=len(mesh.vertices)) / np.maximum(around, 1)
    share = seen / max(float(seen.max(initial=0.0)), 1.0)
    colours = np.where(seen[:, None] > 0, np.stack([confidence_colour(value) for value in share]), NEVER_SEEN)
    return Mesh(mesh.vertices, mesh.faces, colours)


def colour_as_filmed(result: FitResult) -> Mesh:
    """The object in the colours that the fit gave it, clay where it gave none."""
    mesh = result.object_mesh
    return mesh if mesh.colours is not None else Mesh(mesh.vertices, mesh.faces, np.tile(CLAY, (len(mesh.vertices), 1)))


def encode_mesh(mesh: Mesh) -> bytes:
    """A coloured mesh as the bytes of a .glb, in the mesh's own frame."""
    builder = GlbBuilder()
    builder.add_root(builder.add_node({"name": "object", "mesh": builder.add_mesh(mesh, "object")}))
    return builder.encode()


def describe_frame(result: FitResult, row: int) -> Mapping[str, float]:
    """What the viewer says of a frame beside its number: time and the confidence of each pose."""
    words = {"time_s": float(result.time_s[row]), "object": float(result.object_confidence[row])}
    return words | {f"{hand.side} hand": float(hand.confidence[row]) for hand in result.hands}


def row_at(time_s: Float[np.ndarray, "frame"], time: float) -> int:
    """The frame that is shown at a time: the last that has begun."""
    begun = int(np.searchsorted(time_s, time, side="right"))
    return min(max(begun - 1, 0), len(time_s) - 1)
