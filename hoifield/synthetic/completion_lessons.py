"""Lessons for the network that completes shapes: held objects turned a little before a camera, masks and poses as wrong as a clip's."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from scipy.spatial.transform import Rotation

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.geometry.cameras import Camera
from hoifield.geometry.isosurface import extract_isosurface
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.observations.evidence_volume import EvidenceVolume, choose_volume, gather_channels
from hoifield.observations.frame_masks import BACKGROUND, OBJECT, RIGHT_HAND
from hoifield.observations.visual_hull import CarveConfig, HullGrid, carve_nodes, gather_evidence, hand_depth_maps
from hoifield.priors.completion_network import CLIPPED, TAUGHT_SHAPE
from hoifield.synthetic.held_scenes import HeldScene, Stretch

SIDES = 60
"""Directions from which a full hull is carved."""
HULL_NODES = 72
"""Along its longest side."""
PICTURE = 128
"""Pixels along the side of the pictures that lessons are carved from."""
FRAMES = 14
HAND_SPACING = 0.004
LEAST_SHOWN = 0.35
"""Share of the object's pixels that must not be hidden, over the frames."""


@dataclass(frozen=True)
class HeldHull:
    """A held scene with what silhouettes of all sides leave of its object."""

    scene: HeldScene
    hull: HullGrid
    """Object frame."""
    surface: Mesh
    """Of the hull, coarse: it looks like the object from every side. Object frame."""
    hand: Mesh
    """Hand frame."""
    skin: HullGrid
    """Distances to the hand, hand frame."""

    @staticmethod
    def of(scene: HeldScene, actor: SkinnedModel) -> "HeldHull":
        """The right hand `actor` in the scene's grasp."""
        shape = torch.from_numpy(scene.shape).float()
        posed = actor.pose(shape, torch.from_numpy(scene.pose)[None].float(), torch.eye(4)[None])
        hand = Mesh(posed.vertices[0].double().numpy(), actor.faces.numpy().astype(np.int64))
        skin = HullGrid.of_mesh(hand, HAND_SPACING, 3)
        hull = full_hull(scene.object_mesh)
        return HeldHull(scene, hull, extract_isosurface(hull.signed_distance, hull.lower, hull.spacing), hand, skin)


def full_hull(mesh: Mesh) -> HullGrid:
    """The visual hull of a closed mesh from all sides (Laurentini 1994): near its surface the distance, farther off a bound of it."""
    lower, upper = mesh.vertices.min(0), mesh.vertices.max(0)
    middle, radius = 0.5 * (lower + upper), 0.5 * float(np.linalg.norm(upper - lower))
    spacing = float((upper - lower).max()) / HULL_NODES
    camera = Camera(np.array([[18 * PICTURE, 0, PICTURE], [0, 18 * PICTURE, PICTURE], [0, 0, 1.0]]), 2 * PICTURE, 2 * PICTURE)
    turn = np.arange(SIDES) + 0.5
    poses = np.tile(np.eye(4), (SIDES, 1, 1))
    # a spiral over half of the sphere: from the other half the silhouettes are the same
    polar, azimuth = np.arccos(1 - turn / SIDES), np.pi * (1 + 5**0.5) * turn
    poses[:, :3, :3] = Rotation.from_euler("zx", np.stack([azimuth, polar], axis=1)).as_matrix()
    poses[:, 2, 3] = 20 * radius
    labels = np.stack([_cover((mesh.vertices - middle) @ pose[:3, :3].T + pose[:3, 3], mesh, camera) for pose in poses]).astype(np.uint8)
    evidence = gather_evidence(labels, np.arange(SIDES, dtype=np.int16), np.ones(SIDES), camera)
    nodes = np.ceil((upper - lower) / spacing).astype(int) + 7
    start = lower - middle - 3 * spacing
    field, _ = carve_nodes(evidence, poses, start, (int(nodes[0]), int(nodes[1]), int(nodes[2])), spacing, CarveConfig(background_share=0.0))
    return HullGrid(field, start + middle, spacing)


def _cover(vertices: Float[np.ndarray, "vertex 3"], mesh: Mesh, camera: Camera) -> np.ndarray:
    return np.isfinite(rasterise_mesh(vertices, mesh.faces, camera.K, camera.width, camera.height)[0])


@dataclass(frozen=True)
class CompletionLesson:
    """What the network is shown, and what it should say."""

    channels: Float32[np.ndarray, "channel=5 x y z"]
    distance: Float32[np.ndarray, "x y z"]
    """To the full hull, nodes, cut off at CLIPPED."""


def draw_completion_lesson(held: HeldHull, generator: np.random.Generator) -> CompletionLesson | None:
    """A short turn of a scene, its object stretched anew; None where hardly anything of the object is seen."""
    stretch, T = held.scene.draw_stretch(generator), held.scene.T_hand_object
    vertices = stretch.points(held.surface.vertices) @ T[:3, :3].T + T[:3, 3]
    middle = vertices.mean(0)
    extent = float(np.linalg.norm(vertices - middle, axis=1).max())
    distance = generator.uniform(0.3, 0.8)
    focal = distance / extent * PICTURE * generator.uniform(0.2, 0.42)
    camera = Camera(np.array([[focal, 0, PICTURE / 2], [0, focal, PICTURE / 2], [0, 0, 1.0]]), PICTURE, PICTURE)
    turns = draw_turns(generator)
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    poses[:, :3, :3] = turns.as_matrix()
    place = generator.normal(size=3) * 0.08 * distance * np.array([1, 1, 0]) * PICTURE / focal + np.array([0, 0, distance])
    poses[:, :3, 3] = place - np.einsum("fij,j->fi", poses[:, :3, :3], middle)
    labels, shown = _draw_labels(Mesh(vertices, held.surface.faces), held.hand, poses, camera, generator)
    if shown < LEAST_SHOWN:
        return None
    believed = _mistake_poses(poses, middle, generator)
    depth = hand_depth_maps(held.hand.vertices @ believed[:, :3, :3].transpose(0, 2, 1) + believed[:, None, :3, 3], held.hand.faces, camera)
    evidence = gather_evidence(labels, np.arange(FRAMES, dtype=np.int16), np.ones(FRAMES), camera, hand_depth=depth)
    # the object's frame of a clip: parallel to the hand, its origin near the middle of what is seen
    origin = middle + generator.normal(size=3) * np.array([0.15, 0.15, 0.15]) * extent
    frame = np.eye(4)
    frame[:3, 3] = origin
    T_camera_object = believed @ frame
    volume = choose_volume(evidence, T_camera_object, TAUGHT_SHAPE)
    if volume is None:
        return None
    skin = None if generator.random() < 0.15 else HullGrid(held.skin.signed_distance, held.skin.lower - origin, held.skin.spacing)
    share = float(generator.choice([0.02, 0.05, 0.1]))
    channels = gather_channels(evidence, T_camera_object, volume, skin, CarveConfig(background_share=share))
    return CompletionLesson(channels, _true_distance(held.hull, stretch, T, origin, volume))


def draw_turns(generator: np.random.Generator) -> Rotation:
    """Orientations of a short stretch of everyday motion about any first one: mostly about one axis, by 5 to 85 degrees in all."""
    axes = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    span = np.radians(generator.uniform(5, 85))
    phase, rate = generator.uniform(0, 2 * np.pi, 3), generator.uniform(0.5, 1.5, 3)
    time = np.linspace(0, np.pi, FRAMES)
    swing = np.sin(phase[:, None] + rate[:, None] * time)
    swing = (swing - swing.mean(1, keepdims=True)) / np.ptp(swing, axis=1)[:, None]
    vectors = (swing * (span * np.array([1.0, generator.uniform(0, 0.6), generator.uniform(0, 0.6)]))[:, None]).T @ axes
    return Rotation.from_rotvec(vectors) * Rotation.random(random_state=int(generator.integers(2**31)))


def _mistake_poses(poses: Float[np.ndarray, "frame 4 4"], pivot: Float[np.ndarray, "3"], generator: np.random.Generator) -> Float[np.ndarray, "frame 4 4"]:
    """Poses as a tracker believes them: turned somewhat too far or too little, and a little off in each frame."""
    size = generator.choice([0.3, 1.0, 2.0])
    turns = Rotation.from_matrix(poses[:, :3, :3])
    mean = turns.mean()
    relative = (turns * mean.inv()).as_rotvec() * (1 + 0.07 * size * generator.normal())
    relative += np.radians(0.6) * size * (generator.normal(size=relative.shape) + generator.normal(size=3))
    believed = poses.copy()
    believed[:, :3, :3] = (Rotation.from_rotvec(relative) * mean).as_matrix()
    placed = poses[:, :3, :3] @ pivot + poses[:, :3, 3]
    placed += size * generator.normal(size=placed.shape) * np.array([0.0004, 0.0004, 0.0015])
    believed[:, :3, 3] = placed - believed[:, :3, :3] @ pivot
    return believed


def _draw_labels(
    surface: Mesh, hand: Mesh, poses: Float[np.ndarray, "frame 4 4"], camera: Camera, generator: np.random.Generator
) -> tuple[UInt8[np.ndarray, "frame row column"], float]:
    """Masks of object and hand (both in the hand frame) as eyes see them, and the share of the object that is not hidden."""
    labels, shown, whole = [], 0, 0
    for pose in poses:
        near = [rasterise_mesh(mesh.moved(pose).vertices, mesh.faces, camera.K, camera.width, camera.height)[0] for mesh in (surface, hand)]
        label = np.full(near[0].shape, BACKGROUND, np.uint8)
        label[np.isfinite(near[1])] = RIGHT_HAND
        label[near[0] < near[1]] = OBJECT
        shown, whole = shown + int((label == OBJECT).sum()), whole + int(np.isfinite(near[0]).sum())
        labels.append(_mistake_label(label, generator))
    return np.stack(labels), shown / max(whole, 1)


def _mistake_label(label: UInt8[np.ndarray, "row column"], generator: np.random.Generator) -> UInt8[np.ndarray, "row column"]:
    """Outlines half a pixel to a pixel off here and there, and sometimes a bite of another label."""
    noise = cv2.resize(generator.normal(size=(12, 12)).astype(np.float32), label.shape[::-1], interpolation=cv2.INTER_CUBIC)
    scores = [cv2.GaussianBlur((label == value).astype(np.float32), (0, 0), 0.8) for value in (BACKGROUND, OBJECT, RIGHT_HAND)]
    scores[1] += 0.15 * noise
    mistaken = np.argmax(scores, axis=0).astype(np.uint8)
    if generator.random() < 0.15:
        centre = generator.integers(0, PICTURE, 2)
        values = (BACKGROUND, OBJECT, RIGHT_HAND)
        bitten = np.zeros_like(label)
        cv2.circle(bitten, (int(centre[0]), int(centre[1])), int(generator.integers(3, 10)), 1, -1)
        mistaken[(bitten > 0) & (mistaken != BACKGROUND)] = values[int(generator.integers(3))]
    return mistaken


def _true_distance(
    hull: HullGrid, stretch: Stretch, T_hand_object: Float[np.ndarray, "4 4"], origin: Float[np.ndarray, "3"], volume: EvidenceVolume
) -> Float32[np.ndarray, "x y z"]:
    """The full hull of the stretched object at the volume's nodes. All silhouettes of what is stretched are stretched, and so is their hull."""
    points = (volume.nodes() + origin - T_hand_object[:3, 3]) @ T_hand_object[:3, :3]
    points = stretch.middle + (points - stretch.middle) / stretch.factors
    values = hull.at(points) * float(np.prod(stretch.factors)) ** (1 / 3) / volume.spacing
    return np.clip(values, -CLIPPED, CLIPPED).reshape(volume.shape).astype(np.float32)
