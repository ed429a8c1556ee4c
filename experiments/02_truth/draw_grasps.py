"""Draws how hands hold generated objects, and prints what was measured on each grasp: python experiments/02_truth/draw_grasps.py OUT.jpg."""

import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

from hoifield.actors.choose_actor import load_actor
from hoifield.actors.skinned_model import Side
from hoifield.geometry.mesh import Mesh
from hoifield.report.draw_meshes import draw_meshes
from hoifield.synthetic.grasp import GraspSearch
from hoifield.synthetic.object_shapes import make_held_object
from hoifield.synthetic.scene_mesh import SceneParts

SHOWN: tuple[tuple[str, int, Side, int], ...] = (
    ("knife", 0, "right", 0),
    ("knife", 2, "left", 0),
    ("tool", 0, "right", 0),
    ("tool", 1, "left", 1),
    ("tool", 2, "right", 1),
    ("kettle", 0, "right", 0),
    ("kettle", 1, "left", 0),
    ("mug", 1, "right", 0),
    ("mug", 2, "right", 1),
    ("mug", 0, "right", 0),
    ("bowl", 1, "right", 0),
    ("bowl", 3, "right", 1),
    ("toy-car", 1, "right", 0),
    ("bottle", 1, "left", 0),
)
"""Object, instance, side and seed."""
EYES = ((0.15, -1.0, 0.25), (0.1, 0.25, 1.0), (-1.0, -0.35, 0.5))
"""Where a right hand is seen from: into the palm, from the thumb's side, from the fingertips."""
TILE, DISTANCE, FOCAL_RATIO = 200, 0.6, 1.9
SKIN, SLEEVE, OBJECT = np.array([0.87, 0.66, 0.55]), np.array([0.45, 0.50, 0.60]), np.array([0.35, 0.60, 0.75])
COLUMNS = 2


def coloured(mesh: Mesh, colour: Float[np.ndarray, "3"]) -> Mesh:
    """The mesh in one colour."""
    return Mesh(mesh.vertices, mesh.faces, np.tile(colour, (len(mesh.vertices), 1)))


def seen_from(meshes: list[Mesh], eye: tuple[float, float, float], sign: float) -> UInt8[np.ndarray, "height width 3"]:
    """A picture of meshes in the hand frame on white, fingers up; `sign` -1 mirrors the view for a left hand."""
    forward = -np.array(eye) * [sign, 1, 1] / np.linalg.norm(eye)
    up = np.array([-sign, 0.0, 0.0]) if abs(forward[0]) < 0.8 else np.array([0.0, 1.0, 0.0])
    right = np.cross(forward, up) / np.linalg.norm(np.cross(forward, up))
    rotation = np.stack([right, np.cross(forward, right), forward])
    centre = np.array([-0.10 * sign, -0.03, 0.01])
    moved = [Mesh((mesh.vertices - centre) @ rotation.T + [0, 0, DISTANCE], mesh.faces, mesh.colours) for mesh in meshes]
    K = np.array([[FOCAL_RATIO * TILE, 0, TILE / 2], [0, FOCAL_RATIO * TILE, TILE / 2], [0, 0, 1]])
    drawing = draw_meshes(moved, K, TILE, TILE)
    return np.round(255 * np.where(drawing.entity[..., None] >= 0, drawing.colour, 1.0)).astype(np.uint8)


def draw_grasp(name: str, instance: int, side: Side, seed: int) -> UInt8[np.ndarray, "height width 3"]:
    """One grasp from three sides, made as for a clip of that recipe."""
    actor, held = load_actor("anny", side), make_held_object(name, instance)
    shape = np.clip(0.6 * np.random.default_rng(seed).normal(size=10), -1.2, 1.2).astype(np.float32).astype(np.float64)
    parts = SceneParts.of(actor, shape, held.mesh)
    start = time.process_time()
    grasp = GraspSearch(actor, held.mesh, torch.from_numpy(shape).float(), seed, held.grips).find()
    print(
        f"{name} {instance} {side} seed {seed}: {len(grasp.touching)} fingers{' and palm' if grasp.palm_touches else ''}, skin in object "
        f"{1e3 * grasp.deepest:.1f} mm, object in hand {1e3 * grasp.crossing:.1f} mm, closure residual {grasp.closure:.4f}, "
        f"{time.process_time() - start:.1f} s",
        flush=True,
    )
    meshes = [coloured(Mesh(parts.posed_hand(grasp.pose), actor.faces.numpy()), SKIN), coloured(held.mesh.moved(grasp.T_hand_object), OBJECT)]
    meshes.append(coloured(parts.arm, SLEEVE))
    row = np.concatenate([seen_from(meshes, eye, 1.0 if side == "right" else -1.0) for eye in EYES], axis=1)
    cv2.putText(row, f"{name} {instance} {side} {seed}", (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (60, 60, 60), 1, cv2.LINE_AA)
    return row


def main(out: Path) -> None:
    """The contact sheet of `SHOWN`."""
    torch.set_num_threads(1)
    rows = [draw_grasp(*shown) for shown in SHOWN]
    sheet = np.concatenate([np.concatenate(rows[k : k + COLUMNS], axis=1) for k in range(0, len(rows), COLUMNS)])
    cv2.imwrite(str(out), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 86])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
