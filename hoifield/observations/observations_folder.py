"""Observations as a folder of plain files: arrays in npz, the rest in json, masks as one PNG a frame at the clip's size."""

import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hoifield.errors import RefusedInput
from hoifield.geometry.cameras import Camera
from hoifield.geometry.mesh import Mesh
from hoifield.observations.frame_masks import FrameMasks
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.object_track import KnownShape, ObjectTrack
from hoifield.observations.observations import Observations, Readiness, Reason
from hoifield.observations.sensor_depth import SensorDepth
from hoifield.shapes.draw_family import ShapeName
from hoifield.storage import write_file

SCHEMA = "hoifield.observations/1"
_HAND_ARRAYS = ("observed", "keypoints", "keypoint_error", "presence", "T_camera_hand", "pose", "shape", "keypoint_offsets")


def save_observations(observations: Observations, folder: Path) -> None:
    """Files of the observations in `folder` (made if needed): observations.json, arrays.npz, readiness.json, masks/%06d.png.

    The masks in `masks/` are for people and other programs (labels of the contract, the clip's size); arrays.npz keeps the working size.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = _arrays(observations)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_file(folder / "arrays.npz", buffer.getvalue())
    readiness = readiness_to_json(observations.readiness)
    track = observations.object_track
    description = {
        "schema": SCHEMA,
        "image_size": [observations.camera.width, observations.camera.height],
        "focal_source": observations.focal_source,
        "hands": [{"side": hand.side, "actor": hand.actor} for hand in observations.hands],
        "mask_source": list(observations.masks.source),
        "object_source": None if track is None else list(track.source),
        "template_word": None if track is None or track.known_shape is None else track.known_shape.word,
        "readiness": readiness,
    }
    write_file(folder / "readiness.json", _json_bytes(readiness))
    write_masks(observations.masks, folder / "masks", observations.camera.width, observations.camera.height)
    write_file(folder / "observations.json", _json_bytes(description))


def load_observations(folder: Path) -> Observations:
    """The observations saved in `folder`, arrays exactly as they were. Raises RefusedInput (HF-OBS-901) for a folder it cannot read."""
    try:
        description = json.loads((folder / "observations.json").read_text())
        if description.get("schema") != SCHEMA:
            raise ValueError(f"schema {description.get('schema')!r}")
        with np.load(folder / "arrays.npz", allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return _assemble(description, arrays)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RefusedInput(
            "HF-OBS-901", f"{folder.name} holds no readable observations ({error})", "Remove the folder and run `hoifield observe` again."
        ) from error


def write_masks(masks: FrameMasks, folder: Path, width: int, height: int) -> None:
    """One PNG per frame of the clip, `%06d.png`, 0 background, 1 object, 2 right hand, 3 left hand, scaled to `width` x `height`."""
    folder.mkdir(parents=True, exist_ok=True)
    for frame, label in enumerate(masks.labels):
        scaled = cv2.resize(label, (width, height), interpolation=cv2.INTER_NEAREST)
        written, encoded = cv2.imencode(".png", scaled)
        if written:
            write_file(folder / f"{frame:06d}.png", encoded.tobytes())


def readiness_to_json(readiness: Readiness) -> dict[str, Any]:
    """The readiness as plain values: verdict, reasons, measurements (those that are not numbers are null)."""
    return {
        "verdict": readiness.verdict,
        "reasons": [{"code": r.code, "message": r.message, "frames": list(r.frames)} for r in readiness.reasons],
        "measurements": {name: float(value) if np.isfinite(value) else None for name, value in readiness.measurements.items()},
    }


def _json_bytes(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=1, allow_nan=False).encode()


def _arrays(observations: Observations) -> dict[str, np.ndarray]:
    masks = observations.masks
    arrays = {
        "K": observations.camera.K,
        "fit_frames": observations.fit_frames,
        "sharpness": observations.sharpness,
        "labels": masks.labels,
        "object_confidence": masks.object_confidence,
        "hand_confidence": masks.hand_confidence,
    }
    for index, hand in enumerate(observations.hands):
        for name in _HAND_ARRAYS:
            arrays[f"hand{index}_{name}"] = getattr(hand, name)
    if observations.depth is not None:
        arrays["depth_millimetres"] = observations.depth.millimetres
    track = observations.object_track
    if track is not None:
        arrays |= {
            "object_T_camera_object": track.T_camera_object,
            "object_pose_confidence": track.confidence,
            "object_silhouette_iou": track.silhouette_iou,
            "hull_vertices": track.hull.vertices,
            "hull_faces": track.hull.faces,
        }
        if track.hull.colours is not None:
            arrays["hull_colours"] = track.hull.colours
        if track.known_shape is not None:
            arrays["known_shape"] = np.array([track.known_shape.size, *track.known_shape.middle, track.known_shape.likeness])
    return arrays


def _known_shape(numbers: np.ndarray | None, word: ShapeName | None) -> KnownShape | None:
    return None if numbers is None else KnownShape(float(numbers[0]), numbers[1:4], float(numbers[4]), word)


def _assemble(description: dict[str, Any], arrays: dict[str, np.ndarray]) -> Observations:
    width, height = description["image_size"]
    hands = tuple(
        HandTrack(side=hand["side"], actor=hand["actor"], **{name: arrays[f"hand{index}_{name}"] for name in _HAND_ARRAYS})
        for index, hand in enumerate(description["hands"])
    )
    masks = FrameMasks(arrays["labels"], arrays["object_confidence"], arrays["hand_confidence"], tuple(description["mask_source"]))
    track = None
    if description["object_source"] is not None:
        track = ObjectTrack(
            T_camera_object=arrays["object_T_camera_object"],
            confidence=arrays["object_pose_confidence"],
            source=tuple(description["object_source"]),
            hull=Mesh(arrays["hull_vertices"], arrays["hull_faces"], arrays.get("hull_colours")),
            silhouette_iou=arrays["object_silhouette_iou"],
            known_shape=_known_shape(arrays.get("known_shape"), description.get("template_word")),
        )
    depth = SensorDepth(arrays["depth_millimetres"]) if "depth_millimetres" in arrays else None
    stored = description["readiness"]
    readiness = Readiness(
        verdict=stored["verdict"],
        reasons=tuple(Reason(r["code"], r["message"], tuple(r["frames"])) for r in stored["reasons"]),
        measurements={name: float("nan") if value is None else value for name, value in stored["measurements"].items()},
    )
    return Observations(
        camera=Camera(arrays["K"], width, height), focal_source=description["focal_source"], fit_frames=arrays["fit_frames"],
        sharpness=arrays["sharpness"], hands=hands, masks=masks, object_track=track, readiness=readiness, depth=depth,
    )  # fmt: skip
