"""A forearm that carries the hand out of the picture: skin at the wrist, then a sleeve."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.geometry.mesh import Mesh

LENGTH, SLEEVE_START = 0.75, 0.075
ELLIPSE = (0.0245, 0.031)
"""Half axes of the forearm near the wrist (through the palm, across it), metres."""


@dataclass(frozen=True)
class Forearm:
    """A closed tube in the hand frame."""

    mesh: Mesh
    sleeve: Bool[np.ndarray, "vertex"]


def seal_centre(actor: SkinnedModel) -> int:
    """The vertex in the middle of the wrist's seal: the one with the most faces around it."""
    return int(np.bincount(actor.faces.numpy().ravel()).argmax())


def make_forearm(actor: SkinnedModel, rest_vertices: Float[np.ndarray, "vertex 3"]) -> Forearm:
    """The forearm of a hand of that rest shape; its first visible ring lies on the rim of the wrist's seal."""
    sign = 1.0 if actor.side == "right" else -1.0
    rim = _wrist_rim(actor, rest_vertices) * [sign, 1, 1]
    centre = rim.mean(0)
    angle = np.arctan2(rim[:, 2] - centre[2], rim[:, 1] - centre[1])
    radius = np.hypot(rim[:, 2] - centre[2], rim[:, 1] - centre[1])
    ellipse = 1 / np.hypot(np.cos(angle) / ELLIPSE[0], np.sin(angle) / ELLIPSE[1])
    stations = [(-0.008, 0.95, False), (0.0, 1.0, False)]
    stations += [(x, 1.0, False) for x in np.linspace(0.006, SLEEVE_START, 11)]
    stations += [(SLEEVE_START, 1.10, True), (SLEEVE_START - 0.006, 1.13, True), (SLEEVE_START - 0.004, 1.18, True)]
    stations += [(x, 1.18, True) for x in np.linspace(SLEEVE_START + 0.004, LENGTH, 40)]
    rings = []
    for x, factor, is_sleeve in stations:
        blend = float(np.clip(x / 0.06, 0, 1)) ** 2 * (3 - 2 * float(np.clip(x / 0.06, 0, 1)))
        length = factor * ((1 - blend) * radius + blend * ellipse) * (1 + 1.3 * min(max(x, 0.0), 0.35))
        if is_sleeve:
            length = length * (1 + 0.015 * np.sin(5 * angle + 60 * x) * np.sin(90 * x + 1))
        middle = (1 - blend) * centre[1:]
        forward = (1 - blend) * rim[:, 0] + blend * centre[0] + x
        rings.append(np.stack([forward, middle[0] + length * np.cos(angle), middle[1] + length * np.sin(angle)], axis=1))
    vertices = np.concatenate([*rings, [rings[0].mean(0), rings[-1].mean(0)]]) * [sign, 1, 1]
    faces = _tube_faces(len(stations), len(rim))
    sleeve = np.repeat([station[2] for station in stations], len(rim))
    return Forearm(Mesh(vertices, faces if sign > 0 else faces[:, ::-1]), np.array([*sleeve, False, True]))


def _wrist_rim(actor: SkinnedModel, rest_vertices: Float[np.ndarray, "vertex 3"]) -> Float[np.ndarray, "rim 3"]:
    """Points around the rim of the wrist's seal (with the middle of each edge), in order of rising angle from y to z."""
    faces, centre = actor.faces.numpy(), seal_centre(actor)
    around = np.setdiff1d(faces[(faces == centre).any(1)], [centre])
    rim = rest_vertices[around]
    offset = rim - rim.mean(0)
    rim = rim[np.argsort(np.arctan2(offset[:, 2], offset[:, 1]))]
    return np.stack([rim, (rim + np.roll(rim, -1, axis=0)) / 2], axis=1).reshape(-1, 3)


def _tube_faces(rings: int, points: int) -> np.ndarray:
    """Triangles between successive rings, closed by a fan at each end, outward for rings that follow +x."""
    faces = []
    for ring in range(rings - 1):
        for k in range(points):
            a, b = ring * points + k, ring * points + (k + 1) % points
            faces += [(a, b, b + points), (a, b + points, a + points)]
    first, last, last_ring = rings * points, rings * points + 1, (rings - 1) * points
    for k in range(points):
        after = (k + 1) % points
        faces += [(first, after, k), (last, last_ring + k, last_ring + after)]
    return np.array(faces, dtype=np.int64)
