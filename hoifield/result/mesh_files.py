"""Mesh files (PLY, OBJ, GLB, npz): read, checked and written."""

import io
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from hoifield.errors import MissingInput, RefusedInput, UsageError
from hoifield.geometry.mesh import Mesh
from hoifield.result.glb_file import GlbBuilder, srgb_from_linear
from hoifield.result.ply_file import decode_ply_arrays, encode_ply
from hoifield.storage import write_file

MeshFormat = Literal["ply", "obj", "glb", "npz"]
MOST_FACES = 5_000_000
REMEDY = "Export the mesh again as a triangle mesh in metres (PLY, OBJ or GLB), or repair it in a mesh editor."


def check_mesh(mesh: Mesh, name: str) -> None:
    """Raise RefusedInput (HF-RES-011) unless positions are finite, faces name vertices that exist, and both are within limits."""
    vertices, faces = mesh.vertices, mesh.faces
    if vertices.ndim != 2 or vertices.shape[1:] != (3,) or faces.ndim != 2 or faces.shape[1:] != (3,):
        raise RefusedInput("HF-RES-011", f"{name} has vertices of shape {vertices.shape} and faces of shape {faces.shape}", REMEDY)
    if len(vertices) == 0 or len(faces) == 0:
        raise RefusedInput("HF-RES-011", f"{name} has {len(vertices)} vertices and {len(faces)} faces", REMEDY)
    if len(faces) > MOST_FACES:
        raise RefusedInput("HF-RES-011", f"{name} has {len(faces)} faces, the limit is {MOST_FACES}", "Decimate the mesh.")
    broken = int((~np.isfinite(vertices)).any(axis=1).sum())
    if broken:
        raise RefusedInput("HF-RES-011", f"{name} has {broken} vertices that are not finite", REMEDY)
    if faces.min() < 0 or faces.max() >= len(vertices):
        outside = int(((faces < 0) | (faces >= len(vertices))).any(axis=1).sum())
        raise RefusedInput("HF-RES-011", f"{name} has {outside} faces that name vertices outside 0..{len(vertices) - 1}", REMEDY)
    if mesh.colours is not None and (mesh.colours.shape != vertices.shape or not np.isfinite(mesh.colours).all()):
        raise RefusedInput("HF-RES-011", f"{name} has colours of shape {mesh.colours.shape} for {len(vertices)} vertices", REMEDY)


def mesh_format(path: Path) -> MeshFormat:
    """The format that a file name asks for. Raises UsageError (HF-RES-012) for another ending."""
    match path.suffix.lower():
        case ".ply":
            return "ply"
        case ".obj":
            return "obj"
        case ".glb":
            return "glb"
        case ".npz":
            return "npz"
    raise UsageError("HF-RES-012", f"{path.suffix or path.name!r} is not a mesh format", "Use a file ending in .ply, .obj, .glb or .npz.")


def read_mesh(path: Path) -> Mesh:
    """The triangles of a mesh file, checked; polygons are cut into fans, several parts of a GLB are joined.

    Raises MissingInput (HF-RES-010) when the file is not there, RefusedInput (HF-RES-011) when it is damaged.
    """
    readers: dict[MeshFormat, Callable[[bytes], Mesh]] = {
        "ply": decode_ply_arrays,
        "obj": _decode_obj,
        "glb": _decode_glb,
        "npz": _decode_npz,
    }
    kind = mesh_format(path)
    if not path.is_file():
        raise MissingInput("HF-RES-010", f"there is no mesh {path.name}", "Check the path.")
    return _decode(readers[kind], path.read_bytes(), path.name)


def decode_ply(content: bytes, name: str) -> Mesh:
    """The mesh of the bytes of a PLY file, checked. Raises RefusedInput (HF-RES-011)."""
    return _decode(decode_ply_arrays, content, name)


def write_mesh(path: Path, mesh: Mesh) -> None:
    """Write a mesh in the format of the file name: PLY and GLB in float32, OBJ with 9 digits, npz exactly."""
    check_mesh(mesh, path.name)
    writers: dict[MeshFormat, Callable[[Mesh], bytes]] = {"ply": encode_ply, "obj": _encode_obj, "glb": _encode_glb, "npz": _encode_npz}
    content = writers[mesh_format(path)](mesh)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, content)


def _decode(reader: Callable[[bytes], Mesh], content: bytes, name: str) -> Mesh:
    try:
        mesh = reader(content)
    except (ValueError, IndexError, KeyError, TypeError, EOFError, OSError, OverflowError, MemoryError, AttributeError) as error:
        raise RefusedInput("HF-RES-011", f"{name} ({len(content)} bytes) is not a mesh file ({error})", REMEDY) from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise RefusedInput("HF-RES-011", f"{name} ({len(content)} bytes) is a damaged archive ({error})", REMEDY) from error
    check_mesh(mesh, name)
    return mesh


def _encode_obj(mesh: Mesh) -> bytes:
    rows = mesh.vertices if mesh.colours is None else np.hstack([mesh.vertices, np.clip(mesh.colours, 0, 1)])
    lines = ["# hoifield: metres; vertex colours follow the position"]
    lines += ["v " + " ".join(f"{value:.9g}" for value in row) for row in rows]
    lines += [f"f {a} {b} {c}" for a, b, c in mesh.faces + 1]
    return ("\n".join(lines) + "\n").encode()


def _decode_obj(content: bytes) -> Mesh:
    vertices: list[list[float]] = []
    faces: list[tuple[int, int, int]] = []
    for line in content.decode("utf-8", errors="replace").splitlines():
        words = line.split()
        if words[:1] == ["v"]:
            vertices.append([float(word) for word in words[1:7]])
        elif words[:1] == ["f"]:
            corners = [int(word.split("/")[0]) for word in words[1:]]
            if 0 in corners or len(corners) < 3:
                raise ValueError(f"face with corners {corners}")
            corner = [index - 1 if index > 0 else len(vertices) + index for index in corners]
            faces += [(corner[0], corner[k], corner[k + 1]) for k in range(1, len(corner) - 1)]
    if any(len(row) < 3 for row in vertices):
        raise ValueError("a vertex has fewer than 3 numbers")
    coloured = bool(vertices) and all(len(row) == 6 for row in vertices)
    positions = np.array([row[:3] for row in vertices], dtype=np.float64).reshape(-1, 3)
    colours = np.array([row[3:] for row in vertices], dtype=np.float64) if coloured else None
    return Mesh(positions, np.array(faces, dtype=np.int64).reshape(-1, 3), colours)


def _encode_npz(mesh: Mesh) -> bytes:
    stream = io.BytesIO()
    arrays = {"vertices": mesh.vertices, "faces": mesh.faces}
    if mesh.colours is not None:
        arrays["colours"] = mesh.colours
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def _decode_npz(content: bytes) -> Mesh:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        colours = archive["colours"] if "colours" in archive.files else None
        return Mesh(archive["vertices"].astype(np.float64), archive["faces"].astype(np.int64), colours)


def _encode_glb(mesh: Mesh) -> bytes:
    builder = GlbBuilder()
    builder.add_root(builder.add_node({"name": "object", "mesh": builder.add_mesh(mesh, "object")}))
    return builder.encode()


def _decode_glb(content: bytes) -> Mesh:
    import trimesh

    scene = trimesh.load_scene(io.BytesIO(content), file_type="glb", process=False)
    vertices, faces = [np.zeros((0, 3))], [np.zeros((0, 3), dtype=np.int64)]
    stored: list[np.ndarray] = []
    parts = 0
    for node in scene.graph.nodes_geometry:
        T, name = scene.graph[node]
        part = scene.geometry[name]
        if isinstance(part, trimesh.Trimesh):
            faces.append(np.asarray(part.faces) + sum(len(block) for block in vertices))
            vertices.append(np.asarray(part.vertices, dtype=np.float64) @ T[:3, :3].T + T[:3, 3])
            light = getattr(part.visual, "vertex_attributes", {}).get("color")
            stored += [] if light is None else [light]
            parts += 1
    mesh = Mesh(np.concatenate(vertices), np.concatenate(faces))
    if not stored or len(stored) < parts:
        return mesh
    linear = [light / np.iinfo(light.dtype).max if light.dtype.kind == "u" else light.astype(np.float64) for light in stored]
    return replace(mesh, colours=srgb_from_linear(np.concatenate([light[:, :3] for light in linear])))
