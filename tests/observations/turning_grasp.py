"""A small made-up clip for the object's tests: a box with a handle (or a plain ball) turned by a crude hand, drawn triangle by triangle."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import trimesh
from scipy.ndimage import gaussian_filter1d

from hoifield.geometry.cameras import Camera
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.rotations import matrix_from_axis_angle
from hoifield.observations.frame_masks import FrameMasks
from hoifield.observations.hand_track import HandTrack

PALM = np.array([0.0, 0.09, 0.0])
"""Palm of the crude hand in its own frame, metres."""
T_HAND_OBJECT = np.eye(4)
T_HAND_OBJECT[:3, 3] = [0.01, 0.10, 0.045]


@dataclass(frozen=True)
class TurningGrasp:
    camera: Camera
    mesh: Mesh
    T_camera_hand: np.ndarray
    T_camera_object: np.ndarray
    labels: np.ndarray
    images: np.ndarray

    def masks(self) -> FrameMasks:
        count = len(self.labels)
        return FrameMasks(self.labels, np.full(count, 0.95), np.full(count, 0.9), ("automatic",) * count)


def rotation(*axis_angle: float) -> np.ndarray:
    return matrix_from_axis_angle(torch.tensor(axis_angle, dtype=torch.float64)).numpy()


def box_with_handle() -> trimesh.Trimesh:
    body = trimesh.creation.box((0.07, 0.05, 0.09))
    handle = trimesh.creation.box((0.05, 0.015, 0.02))
    handle.apply_translation((0.055, 0.0, 0.02))
    return trimesh.boolean.union([body, handle])


def crude_hand() -> trimesh.Trimesh:
    palm = trimesh.creation.box((0.08, 0.09, 0.025))
    palm.apply_translation((0.0, 0.085, -0.005))
    finger = trimesh.creation.box((0.016, 0.02, 0.09))
    finger.apply_translation((-0.035, 0.12, 0.04))
    return trimesh.util.concatenate([palm, finger])


def move(count: int) -> np.ndarray:
    """T_camera_hand of a hand turning back and forth about two axes, 0.5 m before the camera."""
    poses = np.tile(np.eye(4), (count, 1, 1))
    for index, phase in enumerate(np.linspace(0, 1, count)):
        turn = rotation(0.0, 2.6 * (phase - 0.5), 0.0) @ rotation(0.5 * np.sin(6.0 * phase), 0.0, 0.6 * np.sin(4.0 * phase + 1))
        poses[index, :3, :3] = turn @ rotation(np.pi, 0, 0)
        grip = np.array([0.02 * np.sin(7 * phase), 0.015 * np.cos(5 * phase), 0.5 + 0.03 * np.sin(4 * phase)])
        poses[index, :3, 3] = grip - poses[index, :3, :3] @ T_HAND_OBJECT[:3, 3]
    return poses


def make_grasp(count: int = 32, size: int = 224, textured: bool = True, with_object: bool = True, shape: trimesh.Trimesh | None = None) -> TurningGrasp:
    camera = Camera.from_focal(1.5 * size, size, size)
    thing = box_with_handle() if shape is None else shape
    vertices, faces = trimesh.remesh.subdivide_to_size(thing.vertices, thing.faces, 0.009)
    hand = crude_hand()
    hand_vertices, hand_faces = trimesh.remesh.subdivide_to_size(hand.vertices, hand.faces, 0.02)
    generator = np.random.default_rng(3)
    palette = generator.integers(30, 226, (512, 3))
    cell = np.floor(vertices[faces].mean(1) / 0.018).astype(int) @ np.array([1, 7, 31]) % 512
    colours = palette[cell] if textured else np.full((len(faces), 3), 120)
    T_camera_hand = move(count)
    T_camera_object = T_camera_hand @ T_HAND_OBJECT
    labels = np.zeros((count, size, size), np.uint8)
    images = np.full((count, size, size, 3), 200, np.uint8)
    for index in range(count):
        triangles, paint = [hand_vertices[hand_faces] @ T_camera_hand[index, :3, :3].T + T_camera_hand[index, :3, 3]], [(3, (205, 150, 120))] * len(hand_faces)
        if with_object:
            triangles.append(vertices[faces] @ T_camera_object[index, :3, :3].T + T_camera_object[index, :3, 3])
            paint = paint + [(1, tuple(int(v) for v in colour)) for colour in colours]
        corners = np.concatenate(triangles)
        pixels = (corners[..., :2] / corners[..., 2:] * camera.focal + size / 2 - 0.5) * 16
        for triangle in np.argsort(-corners[..., 2].mean(1)):
            polygon = np.rint(pixels[triangle]).astype(np.int32)
            cv2.fillConvexPoly(labels[index], polygon, paint[triangle][0], shift=4)
            cv2.fillConvexPoly(images[index], polygon, paint[triangle][1], shift=4)
    return TurningGrasp(camera, Mesh(np.asarray(thing.vertices), np.asarray(thing.faces)), T_camera_hand, T_camera_object, labels, images)


def noisy_track(grasp: TurningGrasp, millimetres: float, degrees: float, correlation: float = 0.0, seed: int = 0) -> HandTrack:
    """The hand as a tracker would give it: errors of that standard deviation per axis, correlated over `correlation` frames."""
    generator = np.random.default_rng(seed)
    count = len(grasp.T_camera_hand)
    noise = gaussian_filter1d(generator.normal(size=(count, 6)), correlation, axis=0) if correlation > 0 else generator.normal(size=(count, 6))
    noise = noise / noise.std(0)
    poses = grasp.T_camera_hand.copy()
    for index in range(count):
        poses[index, :3, :3] = poses[index, :3, :3] @ rotation(*(np.deg2rad(degrees) * noise[index, :3]))
        poses[index, :3, 3] += millimetres / 1000 * noise[index, 3:]
    return HandTrack(
        side="left", actor="anny", observed=np.ones(count, bool), keypoints=np.zeros((count, 21, 2)), keypoint_error=np.full(count, 0.03),
        presence=np.ones(count), T_camera_hand=poses, pose=np.zeros((count, 16, 3)), shape=np.zeros(10), keypoint_offsets=np.zeros((21, 3)),
    )  # fmt: skip
