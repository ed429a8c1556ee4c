"""Binary glTF 2.0: buffers, meshes, skins and animations put together into one file."""

import json
import struct
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from hoifield.geometry.mesh import Mesh, vertex_normals

COMPONENT_TYPES = {"uint8": 5121, "uint16": 5123, "uint32": 5125, "float32": 5126}
SHAPES = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
VERTEX_BUFFER, INDEX_BUFFER = 34962, 34963


def linear_from_srgb(colours: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Linear light of stored sRGB values in [0, 1] (IEC 61966-2-1); glTF vertex colours are linear."""
    clipped = np.clip(colours, 0.0, 1.0)
    return np.where(clipped <= 0.04045, clipped / 12.92, ((clipped + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(light: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Stored sRGB values of linear light in [0, 1]; the inverse of `linear_from_srgb`."""
    clipped = np.clip(light, 0.0, 1.0)
    return np.where(clipped <= 0.0031308, clipped * 12.92, 1.055 * clipped ** (1 / 2.4) - 0.055)


class GlbBuilder:
    """A glTF document under construction; indices returned by the `add_` methods are those of the file."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {
            "asset": {"version": "2.0", "generator": "hoifield"},
            "scene": 0,
            "scenes": [{"nodes": []}],
            "nodes": [],
            "accessors": [],
            "bufferViews": [],
        }
        self._binary = bytearray()

    def _append(self, name: str, entry: dict[str, Any]) -> int:
        entries = self.document.setdefault(name, [])
        entries.append(entry)
        return len(entries) - 1

    def add_accessor(self, array: np.ndarray, target: int | None = None, bounds: bool = False, normalised: bool = False) -> int:
        """Store an array; `bounds` adds min and max (needed for positions and animation times)."""
        array = np.ascontiguousarray(array)
        self._binary += b"\0" * (-len(self._binary) % 4)
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self._binary), "byteLength": array.nbytes}
        if target is not None:
            view["target"] = target
        self._binary += array.tobytes()
        rows = array.reshape(len(array), -1)
        entry: dict[str, Any] = {
            "bufferView": self._append("bufferViews", view),
            "componentType": COMPONENT_TYPES[array.dtype.name],
            "count": len(array),
            "type": SHAPES[array.shape[1:]],
        }
        if bounds:
            entry |= {"min": rows.min(0).tolist(), "max": rows.max(0).tolist()}
        if normalised:
            entry["normalized"] = True
        return self._append("accessors", entry)

    def add_mesh(
        self,
        mesh: Mesh,
        name: str,
        colour: tuple[float, float, float] = (0.8, 0.8, 0.8),
        skin: tuple[Int[np.ndarray, "vertex 4"], Float[np.ndarray, "vertex 4"]] | None = None,
    ) -> int:
        """Store a triangle mesh with its vertex colours, else in one sRGB colour; `skin` is the joints and weights of each vertex."""
        attributes = {
            "POSITION": self.add_accessor(mesh.vertices.astype(np.float32), VERTEX_BUFFER, bounds=True),
            "NORMAL": self.add_accessor(_unit_normals(mesh), VERTEX_BUFFER),
        }
        if mesh.colours is not None:
            linear = np.pad(linear_from_srgb(mesh.colours), ((0, 0), (0, 1)), constant_values=1.0)
            attributes["COLOR_0"] = self.add_accessor(np.round(linear * 65535).astype(np.uint16), VERTEX_BUFFER, normalised=True)
        if skin is not None:
            attributes["JOINTS_0"] = self.add_accessor(skin[0].astype(np.uint8), VERTEX_BUFFER)
            attributes["WEIGHTS_0"] = self.add_accessor(skin[1].astype(np.float32), VERTEX_BUFFER)
        base = [1.0, 1.0, 1.0] if mesh.colours is not None else [float(value) for value in linear_from_srgb(np.array(colour))]
        surface = {"baseColorFactor": [*base, 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.75}
        primitive = {
            "attributes": attributes,
            "indices": self.add_accessor(mesh.faces.astype(np.uint32).reshape(-1), INDEX_BUFFER),
            "material": self._append("materials", {"name": name, "pbrMetallicRoughness": surface}),
        }
        return self._append("meshes", {"name": name, "primitives": [primitive]})

    def add_node(self, node: dict[str, Any]) -> int:
        """Store a node (glTF's own keys)."""
        return self._append("nodes", node)

    def add_root(self, node: int) -> None:
        """Put a node at the top of the scene."""
        self.document["scenes"][0]["nodes"].append(node)

    def add_skin(self, joints: list[int], inverse_bind: Float[np.ndarray, "joint 4 4"], name: str) -> int:
        """Store a skin; matrices are given in row order and stored in glTF's column order."""
        matrices = self.add_accessor(inverse_bind.transpose(0, 2, 1).astype(np.float32))
        return self._append("skins", {"name": name, "inverseBindMatrices": matrices, "joints": joints, "skeleton": joints[0]})

    def add_camera(self, vertical_angle: float, aspect: float) -> int:
        """Store a perspective camera; `vertical_angle` in radians."""
        lens = {"yfov": vertical_angle, "aspectRatio": aspect, "znear": 0.01, "zfar": 10.0}
        return self._append("cameras", {"type": "perspective", "perspective": lens})

    def encode(self) -> bytes:
        """The bytes of the .glb file. Lists without an entry are left out, since glTF allows no empty ones."""
        self._binary += b"\0" * (-len(self._binary) % 4)
        document = {name: entry for name, entry in self.document.items() if entry != []}
        if self._binary:
            document["buffers"] = [{"byteLength": len(self._binary)}]
        text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
        text += b" " * (-len(text) % 4)
        chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
        if self._binary:
            chunks += struct.pack("<II", len(self._binary), 0x004E4942) + self._binary
        return struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks


class AnimationTrack:
    """The channels of one animation over shared key times (seconds); without channels nothing of it is stored."""

    def __init__(self, builder: GlbBuilder, times: Float[np.ndarray, "key"], name: str) -> None:
        self._builder = builder
        self._times = times.astype(np.float32)
        self._animation: dict[str, Any] = {"name": name, "samplers": [], "channels": []}

    def move(self, node: int, path: str, values: np.ndarray, interpolation: str = "LINEAR") -> None:
        """Animate `path` (translation, rotation as x y z w, scale) of a node, one value per key."""
        if not self._animation["channels"]:
            self._input = self._builder.add_accessor(self._times, bounds=True)
            self._builder.document.setdefault("animations", []).append(self._animation)
        output = self._builder.add_accessor(values.astype(np.float32))
        self._animation["samplers"].append({"input": self._input, "output": output, "interpolation": interpolation})
        target = {"node": node, "path": path}
        self._animation["channels"].append({"sampler": len(self._animation["samplers"]) - 1, "target": target})


def _unit_normals(mesh: Mesh) -> Float[np.ndarray, "vertex 3"]:
    """Vertex normals; vertices without a face get the z axis, since glTF allows unit vectors only."""
    normals = vertex_normals(mesh)
    normals[np.linalg.norm(normals, axis=1) < 0.5] = [0.0, 0.0, 1.0]
    return normals.astype(np.float32)
