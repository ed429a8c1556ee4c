"""A skinned mesh out of a glTF 2.0 file: vertices, faces, bones where they were bound, weights."""

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from hoifield.errors import MissingInput, RefusedInput

COMPONENT_TYPES: dict[int, str] = {5121: "<u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
COMPONENT_COUNTS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}
EMBEDDED = "data:application/octet-stream;base64,"
REMEDY = "give a glTF 2.0 file (.gltf) of one skinned hand with embedded buffers"


@dataclass(frozen=True)
class GltfSkin:
    """One skinned mesh as it was bound, in its own axes and units; vertices that seams of the texture doubled are one."""

    vertices: Float[np.ndarray, "vertex 3"]
    faces: Int[np.ndarray, "face 3"]
    bone_names: tuple[str, ...]
    bones: Float[np.ndarray, "bone 3"]
    """Where each bone begins."""
    weights: Float[np.ndarray, "vertex bone"]


def read_gltf_skin(path: Path) -> GltfSkin:
    """The first primitive of the first mesh with the first skin. Raises MissingInput (HF-ACT-008), RefusedInput (HF-ACT-009)."""
    if not path.is_file():
        raise MissingInput("HF-ACT-008", f"no hand model at {path.name!r}", REMEDY)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        buffer = _embedded_buffer(document["buffers"][0]["uri"])
        primitive, skin = document["meshes"][0]["primitives"][0], document["skins"][0]
        names = tuple(str(document["nodes"][joint]["name"]) for joint in skin["joints"])
        attributes = primitive["attributes"]
        arrays = {name: _read_accessor(document, buffer, attributes[name]) for name in ("POSITION", "JOINTS_0", "WEIGHTS_0")}
        faces = _read_accessor(document, buffer, primitive["indices"]).reshape(-1, 3).astype(np.int64)
        inverse_bind = _read_accessor(document, buffer, skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
        bones = np.linalg.inv(inverse_bind.astype(np.float64))[:, :3, 3]
        members = arrays["JOINTS_0"].astype(np.int64)
        positions, weights = arrays["POSITION"].astype(np.float64), np.zeros((len(members), len(names)))
        np.add.at(weights, (np.arange(len(members))[:, None], members), arrays["WEIGHTS_0"].astype(np.float64))
        merged, index = np.unique(positions.round(6), axis=0, return_index=True, return_inverse=True)[1:]
        vertices, weights, faces = positions[merged], weights[merged], index.reshape(-1)[faces]
        if len(bones) != len(names) or not (np.isfinite(vertices).all() and np.isfinite(bones).all() and (weights.sum(1) > 0.5).all()):
            raise ValueError("positions or weights are missing")
    except (KeyError, IndexError, TypeError, ValueError, UnicodeDecodeError, binascii.Error, np.linalg.LinAlgError) as error:
        raise RefusedInput("HF-ACT-009", f"{path.name!r} holds no skinned mesh that can be read: {error!r}", REMEDY) from error
    return GltfSkin(vertices, faces, names, bones, weights / weights.sum(1, keepdims=True))


def _embedded_buffer(uri: str) -> bytes:
    """The bytes of a data URI."""
    if not uri.startswith(EMBEDDED):
        raise ValueError("the buffer is not embedded")
    return base64.b64decode(uri[len(EMBEDDED) :], validate=True)


def _read_accessor(document: dict[str, Any], buffer: bytes, number: int) -> np.ndarray:
    """The numbers of an accessor, one row per element."""
    accessor = document["accessors"][number]
    view = document["bufferViews"][accessor["bufferView"]]
    if "byteStride" in view or "sparse" in accessor or view["buffer"] != 0:
        raise ValueError("buffers that are interleaved, sparse or several")
    count, width = int(accessor["count"]), COMPONENT_COUNTS[accessor["type"]]
    start = int(view.get("byteOffset", 0)) + int(accessor.get("byteOffset", 0))
    kind = np.dtype(COMPONENT_TYPES[accessor["componentType"]])
    return np.frombuffer(buffer, dtype=kind, count=count * width, offset=start).reshape(count, width)
