"""The files of `result/`: written from a FitResult, read back and checked. A truth folder has the same files."""

import io
import json
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any, get_args

import numpy as np

from hoifield.actors.skinned_model import Side
from hoifield.errors import HoifieldError, InternalError, MissingInput, RefusedInput
from hoifield.geometry.mesh import Mesh
from hoifield.result.fit_result import FitResult, HandResult
from hoifield.result.mesh_files import check_mesh, decode_ply
from hoifield.result.ply_file import encode_ply
from hoifield.result.result_checks import check_arrays
from hoifield.result.surface_quality import is_watertight
from hoifield.storage import write_file

SCHEMA = "hoifield.result/1"
SUMMARY_KEYS = ("status", "reasons", "clip", "preset", "device", "seconds", "quality", "confidence", "versions", "seed")
NESTED_KEYS = {
    "clip": ("name", "frames", "fps", "width", "height", "sha256"),
    "seconds": ("observe", "fit", "total"),
    "quality": ("mask_iou_hand", "mask_iou_object", "psnr_db", "penetration_mean_mm", "contact_fraction"),
    "confidence": ("object_shape", "object_pose", "hand_pose"),
}
STATUSES = ("ok", "degraded", "refused")
REASON_KEYS = ("code", "message", "frames")
DAMAGED_REMEDY = "Restore the folder from a copy, or run the fit again with another --out."


def write_result(folder: Path, result: FitResult) -> None:
    """Write object.ply, poses.npz and, last, result.json.

    object.ply stores float32 positions and 8-bit colours; arrays of poses.npz keep their values bit for bit. Numbers in the
    summary that are not finite become null. Raises InternalError (HF-RES-001) when the summary lacks a key of the contract or
    an array has the wrong shape: nothing is written then.
    """
    try:
        check_summary(result.summary)
        check_arrays(result)
        check_mesh(result.object_mesh, "object mesh")
    except HoifieldError as error:
        raise InternalError("HF-RES-001", f"the result cannot be written: {error}", "Report this, with the run folder.") from error
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / "object.ply", encode_ply(result.object_mesh))
    write_file(folder / "poses.npz", encode_poses(result))
    _write_document(folder, describe_result(result))


def read_result(folder: Path) -> FitResult:
    """The FitResult of a result (or truth) folder, checked.

    Raises MissingInput (HF-RES-002) for a file that is not there and RefusedInput (HF-RES-003 to 009) for one that is damaged:
    schema, keys, shapes, ranges, and finite poses wherever the confidence is above 0.
    """
    document = _read_document(folder)
    mesh = decode_ply(_read_bytes(folder / "object.ply"), "object.ply")
    result = _assemble(document, mesh, _load_arrays(folder / "poses.npz"))
    check_arrays(result)
    return result


def write_refusal(folder: Path, summary: dict[str, Any]) -> None:
    """Write result.json alone, for a clip that was refused: no hand and an object without faces. Errors as `write_result`."""
    check_summary(summary)
    folder.mkdir(parents=True, exist_ok=True)
    nothing = {"hands": [], "object": {"faces": 0, "watertight": False, "extent_m": [0.0, 0.0, 0.0]}}
    _write_document(folder, {"schema": SCHEMA, **_summary_of(summary), **nothing})


def read_summary(folder: Path) -> dict[str, Any]:
    """The content of result.json without `schema`, `object` and `hands` (those are in the arrays), checked. Errors as `read_result`."""
    return _summary_of(_read_document(folder))


def describe_result(result: FitResult) -> dict[str, Any]:
    """The document of result.json: the summary beside `schema`, `hands` and `object`; plain JSON values."""
    mesh = result.object_mesh
    document: dict[str, Any] = {"schema": SCHEMA, **{key: result.summary[key] for key in SUMMARY_KEYS[:3]}}
    document["hands"] = [{"side": hand.side, "actor": hand.actor} for hand in result.hands]
    document["object"] = {"faces": len(mesh.faces), "watertight": is_watertight(mesh), "extent_m": [float(side) for side in mesh.extent]}
    document |= {key: value for key, value in result.summary.items() if key not in document}
    return plain_json(document)


def plain_json(value: Any) -> Any:
    """The value with numpy scalars, arrays, tuples and paths turned into plain JSON values; numbers that are not finite become null."""
    match value:
        case dict():
            return {str(key): plain_json(item) for key, item in value.items()}
        case list() | tuple():
            return [plain_json(item) for item in value]
        case np.ndarray():
            return plain_json(value.tolist())
        case bool() | np.bool_():
            return bool(value)
        case int() | np.integer():
            return int(value)
        case float() | np.floating():
            return float(value) if math.isfinite(value) else None
        case str() | None:
            return value
        case Path():
            return value.name
    raise InternalError("HF-RES-001", f"a {type(value).__name__} cannot be stored in result.json", "Report this, with the run folder.")


def check_summary(summary: dict[str, Any]) -> None:
    """Raise RefusedInput (HF-RES-005) unless every key of the contract is there with values of the right kind."""
    missing = [key for key in SUMMARY_KEYS if key not in summary]
    for key, inner in NESTED_KEYS.items():
        if key in summary:
            content = summary[key]
            missing += [f"{key}.{name}" for name in inner if not isinstance(content, dict) or name not in content]
    if missing:
        raise RefusedInput("HF-RES-005", f"result.json lacks {len(missing)} keys: {', '.join(missing)}", DAMAGED_REMEDY)
    if summary["status"] not in STATUSES:
        raise RefusedInput(
            "HF-RES-005", f"result.json has status {summary['status']!r}, expected one of {', '.join(STATUSES)}", DAMAGED_REMEDY
        )
    reasons = summary["reasons"]
    if not isinstance(reasons, (list, tuple)) or any(not isinstance(reason, dict) or set(REASON_KEYS) - set(reason) for reason in reasons):
        raise RefusedInput("HF-RES-005", f"result.json: each reason needs {', '.join(REASON_KEYS)}", DAMAGED_REMEDY)


def encode_poses(result: FitResult) -> bytes:
    """The bytes of poses.npz: plain arrays named as in the contract; the same result gives the same bytes."""
    arrays: dict[str, np.ndarray] = {
        "frame_index": np.asarray(result.frame_index, dtype=np.int64),
        "time_s": result.time_s,
        "image_size": np.array(result.image_size, dtype=np.int64),
        "K": result.K,
        "T_camera_object": result.T_camera_object,
        "object_confidence": result.object_confidence,
    }
    for hand in result.hands:
        arrays |= {
            f"{hand.side}_T_camera_hand": hand.T_camera_hand,
            f"{hand.side}_pose": hand.pose,
            f"{hand.side}_shape": hand.shape,
            f"{hand.side}_vertices": hand.vertices,
            f"{hand.side}_joints": hand.joints,
            f"{hand.side}_faces": np.asarray(hand.faces, dtype=np.int64),
            f"{hand.side}_confidence": hand.confidence,
        }
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **{name: np.asarray(array) for name, array in arrays.items()})
    return stream.getvalue()


def _summary_of(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in ("schema", "object", "hands")}


def _write_document(folder: Path, document: dict[str, Any]) -> None:
    write_file(folder / "result.json", json.dumps(plain_json(document), indent=2, allow_nan=False, ensure_ascii=False).encode())


def _read_document(folder: Path) -> dict[str, Any]:
    try:
        document = json.loads(_read_bytes(folder / "result.json"))
    except ValueError as error:
        raise RefusedInput("HF-RES-003", f"result.json is not JSON ({error})", DAMAGED_REMEDY) from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        found = document.get("schema") if isinstance(document, dict) else type(document).__name__
        raise RefusedInput(
            "HF-RES-004", f"result.json has schema {found!r}, expected {SCHEMA!r}", "Use the version of hoifield that wrote it."
        )
    check_summary(document)
    return document


def _load_arrays(path: Path) -> dict[str, np.ndarray]:
    content = _read_bytes(path)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (
        ValueError,
        OSError,
        EOFError,
        KeyError,
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        AttributeError,
        MemoryError,
    ) as error:
        raise RefusedInput(
            "HF-RES-006", f"{path.name} ({len(content)} bytes) cannot be read as plain arrays ({error})", DAMAGED_REMEDY
        ) from error


def _assemble(document: dict[str, Any], mesh: Mesh, arrays: dict[str, np.ndarray]) -> FitResult:
    hands = []
    named = document.get("hands")
    entries = [entry for entry in named if isinstance(entry, dict)] if isinstance(named, list) else []
    actors = {entry.get("side"): str(entry.get("actor", "")) for entry in entries}
    try:
        for side in get_args(Side):
            if f"{side}_T_camera_hand" in arrays:
                names = ("T_camera_hand", "pose", "shape", "vertices", "joints", "faces", "confidence")
                hands.append(HandResult(side=side, actor=actors.get(side, ""), **{name: arrays[f"{side}_{name}"] for name in names}))
        width, height = (int(size) for size in arrays["image_size"].reshape(2))
        return FitResult(
            frame_index=arrays["frame_index"],
            time_s=arrays["time_s"],
            image_size=(width, height),
            K=arrays["K"],
            object_mesh=mesh,
            T_camera_object=arrays["T_camera_object"],
            object_confidence=arrays["object_confidence"],
            hands=tuple(hands),
            summary=_summary_of(document),
        )
    except KeyError as error:
        raise RefusedInput("HF-RES-006", f"poses.npz has no array {error}", DAMAGED_REMEDY) from error
    except (ValueError, TypeError) as error:
        raise RefusedInput("HF-RES-006", f"poses.npz: image_size is not two numbers ({error})", DAMAGED_REMEDY) from error


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingInput(
            "HF-RES-002", f"{path.name} is not in {path.parent.name}/", "Name a run folder that holds a finished result/."
        ) from error
