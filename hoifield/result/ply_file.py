"""PLY: binary little endian written; ASCII and both binary orders read."""

from dataclasses import dataclass

import numpy as np

from hoifield.geometry.mesh import Mesh

TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4", "double": "f8"},
    **{"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8"},
}
COLOUR_NAMES = ("red", "green", "blue")


@dataclass(frozen=True)
class _Property:
    name: str
    type: str
    count_type: str | None
    """Type of the length of a list; None for a scalar."""


@dataclass(frozen=True)
class _Element:
    name: str
    count: int
    properties: tuple[_Property, ...]


def encode_ply(mesh: Mesh) -> bytes:
    """The bytes of a binary little endian PLY: float32 positions (metres), 8-bit colours where the mesh has them, int32 triangles."""
    coloured = mesh.colours is not None
    header = ["ply", "format binary_little_endian 1.0", "comment hoifield, metres", f"element vertex {len(mesh.vertices)}"]
    header += [f"property float {axis}" for axis in "xyz"]
    header += [f"property uchar {name}" for name in COLOUR_NAMES] if coloured else []
    header += [f"element face {len(mesh.faces)}", "property list uchar int vertex_indices", "end_header", ""]
    fields = [("position", "<f4", 3)] + ([("colour", "u1", 3)] if coloured else [])
    vertices = np.zeros(len(mesh.vertices), dtype=fields)
    vertices["position"] = mesh.vertices
    if mesh.colours is not None:
        vertices["colour"] = np.round(np.clip(mesh.colours, 0.0, 1.0) * 255.0).astype(np.uint8)
    faces = np.zeros(len(mesh.faces), dtype=[("count", "u1"), ("corner", "<i4", 3)])
    faces["count"] = 3
    faces["corner"] = mesh.faces
    return "\n".join(header).encode() + vertices.tobytes() + faces.tobytes()


def decode_ply_arrays(content: bytes) -> Mesh:
    """The mesh of the bytes of a PLY file; polygons are cut into fans. Raises ValueError for anything that is not such a file."""
    order, elements, body = _read_header(content)
    columns: dict[str, np.ndarray] = {}
    faces = np.zeros((0, 3), dtype=np.int64)
    offset = 0
    words = content[body:].split() if order == "ascii" else []
    for element in elements:
        if order == "ascii":
            values, offset = _read_ascii(words, offset, element)
        else:
            values, offset = _read_binary(content[body:], offset, element, order)
        if element.name == "vertex":
            columns = {name: column for name, column in values.items() if isinstance(column, np.ndarray)}
        elif element.name == "face":
            corners = values.get("vertex_indices", values.get("vertex_index"))
            if corners is None:
                raise ValueError("the faces have no vertex_indices")
            faces = corners if isinstance(corners, np.ndarray) else _fan(corners)
    positions = np.stack([columns[axis].astype(np.float64) for axis in "xyz"], axis=1)
    colours = None
    if all(name in columns for name in COLOUR_NAMES):
        stacked = np.stack([columns[name] for name in COLOUR_NAMES], axis=1)
        colours = stacked / 255.0 if stacked.dtype == np.uint8 else stacked.astype(np.float64)
    return Mesh(positions, faces.astype(np.int64), colours)


def _read_header(content: bytes) -> tuple[str, list[_Element], int]:
    end = content.find(b"end_header")
    if not content.startswith(b"ply") or end < 0:
        raise ValueError("no PLY header")
    body = content.find(b"\n", end) + 1
    order, elements = "", []
    for line in content[:end].decode("ascii", errors="replace").splitlines()[1:]:
        words = line.split()
        match words:
            case ["format", "ascii", _]:
                order = "ascii"
            case ["format", "binary_little_endian", _]:
                order = "<"
            case ["format", "binary_big_endian", _]:
                order = ">"
            case ["element", name, count]:
                if not 0 <= int(count) <= len(content):
                    raise ValueError(f"{count} entries of {name} in a file of {len(content)} bytes")
                elements.append(_Element(name, int(count), ()))
            case ["property", "list", count_type, kind, name]:
                elements[-1] = _Element(
                    elements[-1].name, elements[-1].count, (*elements[-1].properties, _Property(name, TYPES[kind], TYPES[count_type]))
                )
            case ["property", kind, name]:
                elements[-1] = _Element(
                    elements[-1].name, elements[-1].count, (*elements[-1].properties, _Property(name, TYPES[kind], None))
                )
    if not order or body == 0:
        raise ValueError("no known PLY format line")
    return order, elements, body


Columns = dict[str, np.ndarray | list[np.ndarray]]


def _read_binary(body: bytes, offset: int, element: _Element, order: str) -> tuple[Columns, int]:
    """Columns of one element; lists of three each are one (n, 3) array, else a list of arrays."""
    fast = _read_uniform(body, offset, element, order)
    if fast is not None:
        return fast
    columns: dict[str, list[np.ndarray]] = {entry.name: [] for entry in element.properties}
    for _ in range(element.count):
        for entry in element.properties:
            count = 1
            if entry.count_type is not None:
                kind = np.dtype(order + entry.count_type)
                count = int(np.frombuffer(body, kind, 1, offset)[0])
                offset += kind.itemsize
            kind = np.dtype(order + entry.type)
            columns[entry.name].append(np.frombuffer(body, kind, count, offset))
            offset += kind.itemsize * count
    return {
        entry.name: columns[entry.name] if entry.count_type else np.concatenate(columns[entry.name]) for entry in element.properties
    }, offset


def _read_uniform(body: bytes, offset: int, element: _Element, order: str) -> tuple[Columns, int] | None:
    """The same, at once, when every list has three entries; None otherwise."""
    fields: list[tuple[str, str] | tuple[str, str, int]] = []
    for entry in element.properties:
        if entry.count_type is not None:
            fields.append((f"{entry.name} count", order + entry.count_type))
            fields.append((entry.name, order + entry.type, 3))
        else:
            fields.append((entry.name, order + entry.type))
    kind = np.dtype(fields)
    if element.count == 0 or offset + kind.itemsize * element.count > len(body):
        if all(entry.count_type is None for entry in element.properties) and element.count:
            raise ValueError(f"the file ends inside its {element.count} entries of {element.name}")
        return None
    rows = np.frombuffer(body, kind, element.count, offset)
    if any(entry.count_type is not None and (rows[f"{entry.name} count"] != 3).any() for entry in element.properties):
        return None
    return {entry.name: rows[entry.name] for entry in element.properties}, offset + kind.itemsize * element.count


def _read_ascii(words: list[bytes], offset: int, element: _Element) -> tuple[Columns, int]:
    columns: dict[str, list[np.ndarray]] = {entry.name: [] for entry in element.properties}
    for _ in range(element.count):
        for entry in element.properties:
            count = 1
            if entry.count_type is not None:
                count = int(words[offset])
                offset += 1
            if count < 0 or offset + count > len(words):
                raise ValueError(f"the file ends inside its {element.count} entries of {element.name}")
            columns[entry.name].append(np.array([float(word) for word in words[offset : offset + count]]).astype(entry.type))
            offset += count
    return {
        entry.name: columns[entry.name] if entry.count_type else np.concatenate(columns[entry.name]) for entry in element.properties
    }, offset


def _fan(polygons: list[np.ndarray]) -> np.ndarray:
    """Triangles of polygons, all from the first corner."""
    if any(len(polygon) < 3 for polygon in polygons):
        raise ValueError("a face has fewer than 3 corners")
    triangles = [(polygon[0], polygon[k], polygon[k + 1]) for polygon in polygons for k in range(1, len(polygon) - 1)]
    return np.array(triangles, dtype=np.int64).reshape(-1, 3)
