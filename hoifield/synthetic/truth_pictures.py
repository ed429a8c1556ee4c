"""More exact pictures of a frame: whole outlines, as if nothing stood in front, and the directions that surfaces face."""

import numpy as np
from jaxtyping import Float, UInt8

from hoifield.actors.skinned_model import Side
from hoifield.geometry.mesh import Mesh, face_normals
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.synthetic.appearance import HAND, OBJECT, SECOND_HAND
from hoifield.synthetic.scene_mesh import SceneParts

OUTLINE_BITS = {"object": 1, "right": 2, "left": 4}
"""Values of whole outlines; where they overlap, their sum."""


def draw_whole_outlines(
    parts: SceneParts, vertices: Float[np.ndarray, "vertex 3"], K: Float[np.ndarray, "3 3"], size: int, side: Side
) -> UInt8[np.ndarray, "size size"]:
    """Amodal masks as bits (OUTLINE_BITS): which pixel centres object and hands cover when each is drawn alone; `side` is the first
    hand's; vertices in the camera frame."""
    outlines = np.zeros((size, size), dtype=np.uint8)
    bits = {OBJECT: OUTLINE_BITS["object"], HAND: OUTLINE_BITS[side]}
    if parts.second is not None:
        bits[SECOND_HAND] = OUTLINE_BITS[parts.second.side]
    for part, bit in bits.items():
        _, face_index, _ = rasterise_mesh(vertices, parts.faces[parts.face_part == part], K, size, size)
        outlines[face_index >= 0] += bit
    return outlines


def draw_normals(
    parts: SceneParts, vertices: Float[np.ndarray, "vertex 3"], K: Float[np.ndarray, "3 3"], size: int
) -> UInt8[np.ndarray, "size size 3"]:
    """Outward unit normals n of object and hands where they are seen, camera axes, as 8-bit 128 + 127 n (x, y, z); 0 elsewhere.

    They are those of the meshes' flat faces, as the depth shows them; vertices in the camera frame.
    """
    _, face_index, _ = rasterise_mesh(vertices, parts.faces, K, size, size)
    shown = (face_index >= 0) & np.isin(np.where(face_index >= 0, parts.face_part[face_index], -1), (OBJECT, HAND, SECOND_HAND))
    normals, _ = face_normals(Mesh(vertices, parts.faces))
    picture = np.zeros((size, size, 3), dtype=np.uint8)
    picture[shown] = np.round(128 + 127 * normals[face_index[shown]])
    return picture
