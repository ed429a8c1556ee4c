"""The open rim of a hand mesh at the wrist, and its closing."""

import numpy as np
from jaxtyping import Int

from hoifield.errors import RefusedInput


def boundary_loop(faces: Int[np.ndarray, "face 3"]) -> Int[np.ndarray, "rim"]:
    """Vertices of the one boundary loop, along the directed half-edges that no neighbour shares; starts at the smallest index.

    Refuses meshes whose boundary is not a single loop.
    """
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    directed = {(int(a), int(b)) for a, b in edges}
    follows = {a: b for a, b in directed if (b, a) not in directed}
    if not follows:
        raise RefusedInput("HF-ACT-003", "the hand mesh has no open rim at the wrist", "use the hand model file as it was released")
    loop = [min(follows)]
    while (following := follows.get(loop[-1], loop[0])) != loop[0] and len(loop) <= len(follows):
        loop.append(following)
    if len(loop) != len(follows):
        raise RefusedInput(
            "HF-ACT-003", f"the hand mesh has {len(follows)} open edges in more than one loop", "use the hand model file as it was released"
        )
    return np.array(loop)


def cap_faces(loop: Int[np.ndarray, "rim"], centre: int) -> Int[np.ndarray, "rim 3"]:
    """Triangles that close the loop around the vertex `centre`, wound against the rim's own direction."""
    return np.stack([np.roll(loop, -1), loop, np.full_like(loop, centre)], axis=1)
