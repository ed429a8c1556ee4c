"""A result made by hand: a turning bowl with a capsule finger hand beside it; no model file needed."""

import numpy as np
import torch

from hoifield.actors.skinned_model import JOINT_PARENTS, SkinnedModel
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.rotations import matrix_from_axis_angle
from hoifield.result.fit_result import FitResult, HandResult

JOINT_POSITIONS = np.array(
    [[0.0, 0.0, 0.0]]
    + [[x, y, 0.0] for x in (-0.025, -0.003, 0.035, 0.017) for y in (0.085, 0.115, 0.138)]
    + [[-0.045, 0.03, 0.0], [-0.06, 0.055, 0.0], [-0.068, 0.08, 0.0]]
)
SUMMARY = {
    "status": "degraded",
    "reasons": [{"code": "HF-REA-004", "message": "the object is seen from one side", "frames": [2, 3]}],
    "clip": {"name": "bowl", "frames": 12, "fps": 30.0, "width": 320, "height": 240, "sha256": "0" * 64},
    "preset": "draft",
    "device": "cpu",
    "seconds": {"observe": 3.0, "fit": 40.5, "total": 43.5},
    "quality": {"mask_iou_hand": 0.91, "mask_iou_object": 0.88, "psnr_db": 24.5, "penetration_mean_mm": 1.2, "contact_fraction": 0.7},
    "confidence": {"object_shape": 0.6, "object_pose": 0.8, "hand_pose": 0.9},
    "versions": {"hoifield": "0.1.0"},
    "seed": 0,
}


def capsule(start: np.ndarray, end: np.ndarray, radius: float, sides: int = 10, rings: int = 10) -> Mesh:
    """A closed capsule between two points."""
    axis = (end - start) / np.linalg.norm(end - start)
    across = np.cross(axis, [0.3, 0.5, 0.81])
    across /= np.linalg.norm(across)
    other = np.cross(axis, across)
    latitude = np.linspace(-np.pi / 2, np.pi / 2, rings)[1:-1]
    rows = [start - radius * axis]
    for angle in latitude:
        centre = (start if angle < 0 else end) + radius * np.sin(angle) * axis
        for turn in np.arange(sides) * 2 * np.pi / sides:
            rows.append(centre + radius * np.cos(angle) * (np.cos(turn) * across + np.sin(turn) * other))
    rows.append(end + radius * axis)
    return Mesh(np.array(rows), ring_faces(len(latitude), sides))


def ring_faces(rings: int, sides: int) -> np.ndarray:
    """Outward faces of a closed stack of rings between a first and a last vertex."""
    faces = []
    last = 1 + rings * sides
    for k in range(sides):
        n = (k + 1) % sides
        faces.append([0, 1 + n, 1 + k])
        faces.append([last, last - sides + k, last - sides + n])
        for ring in range(rings - 1):
            low, high = 1 + ring * sides, 1 + (ring + 1) * sides
            faces += [[low + k, low + n, high + n], [low + k, high + n, high + k]]
    return np.array(faces)


def bowl(sides: int = 32) -> Mesh:
    """A watertight bowl with a real cavity, 9 cm wide, coloured by height and angle; positions and colours as a PLY stores them."""
    profile = [(0.02, -0.03), (0.035, -0.022), (0.042, 0.0), (0.045, 0.03), (0.041, 0.031), (0.037, 0.0), (0.03, -0.016), (0.015, -0.023)]
    rows, colours = [[0.0, -0.03, 0.0]], [[0.2, 0.4, 0.7]]
    for radius, height in profile:
        for turn in np.arange(sides) * 2 * np.pi / sides:
            rows.append([radius * np.cos(turn), height, -radius * np.sin(turn)])
            colours.append([0.9, 0.8, 0.2] if int(turn / (2 * np.pi) * 8) % 2 else [0.2, 0.4, 0.7])
    rows.append([0.0, -0.023, 0.0])
    colours.append([0.9, 0.3, 0.2])
    colours = np.round(np.array(colours) * 255) / 255
    return Mesh(np.array(rows, dtype=np.float32).astype(np.float64), ring_faces(len(profile), sides), colours)


def capsule_hand() -> SkinnedModel:
    """A right hand of 15 capsules and a palm under the contract of SkinnedModel; each part moves with one joint."""
    parts, owners, tips = [capsule(np.array([0.0, 0.01, 0.0]), np.array([0.0, 0.07, 0.0]), 0.02)], [0], []
    for joint in range(1, 16):
        is_tip = joint % 3 == 0
        end = JOINT_POSITIONS[joint + 1] if not is_tip else JOINT_POSITIONS[joint] + [0.0, 0.02, 0.0]
        parts.append(capsule(JOINT_POSITIONS[joint], end, 0.008))
        owners.append(joint)
    offsets = np.cumsum([0] + [len(part.vertices) for part in parts])
    vertices = np.concatenate([part.vertices for part in parts])
    faces = np.concatenate([part.faces + offset for part, offset in zip(parts, offsets)])
    weights = np.concatenate([np.tile(np.eye(16)[owner], (len(part.vertices), 1)) for owner, part in zip(owners, parts)])
    tips = tuple(int(offsets[owner + 1] - 1) for owner in (15, 3, 6, 12, 9))
    return SkinnedModel(
        name="anny",
        side="right",
        template=torch.from_numpy(vertices),
        shape_directions=torch.zeros(len(vertices), 3, 10, dtype=torch.float64),
        joint_template=torch.from_numpy(JOINT_POSITIONS),
        joint_directions=torch.zeros(16, 3, 10, dtype=torch.float64),
        pose_directions=None,
        weights=torch.from_numpy(weights),
        faces=torch.from_numpy(faces),
        fingertip_vertices=tips,
        joint_axes=torch.eye(3, dtype=torch.float64).expand(16, 3, 3),
        lower_limits=torch.full((16, 3), -1.5, dtype=torch.float64),
        upper_limits=torch.full((16, 3), 1.5, dtype=torch.float64),
    )


def turning(frames: int, axis: tuple[float, float, float], position: tuple[float, float, float], angle: float) -> np.ndarray:
    """Rigid poses turning by `angle` over the frames about an axis through a fixed point."""
    unit = torch.tensor(axis, dtype=torch.float64) / np.linalg.norm(axis)
    T = np.tile(np.eye(4), (frames, 1, 1))
    T[:, :3, :3] = matrix_from_axis_angle(torch.linspace(0, angle, frames, dtype=torch.float64)[:, None] * unit).numpy()
    T[:, :3, 3] = position
    return T


def handmade_result(frames: int = 12, gap: tuple[int, ...] = (4, 5), model: SkinnedModel | None = None) -> FitResult:
    """The bowl and the hand in front of a camera of 320 x 240 pixels; the object has no pose in the frames of `gap`."""
    model = model or capsule_hand()
    T_camera_object = turning(frames, (0.4, 1.0, 0.2), (0.02, 0.0, 0.45), 3.0)
    tilt = matrix_from_axis_angle(torch.tensor([1.2, 0.0, 0.0], dtype=torch.float64)).numpy()
    T_camera_object[:, :3, :3] = tilt @ T_camera_object[:, :3, :3]
    confidence = np.linspace(1.0, 0.5, frames)
    confidence[list(gap)] = 0.0
    T_camera_object[list(gap)] = np.nan
    T_camera_hand = turning(frames, (0.0, 0.0, 1.0), (0.02, 0.12, 0.46), 0.3)
    T_camera_hand[:, :3, :3] = T_camera_hand[:, :3, :3] @ np.diag([-1.0, -1.0, 1.0])
    pose = np.zeros((frames, 16, 3))
    pose[:, 1:13, 0] = np.linspace(0.0, 0.7, frames)[:, None]
    posed = model.pose(
        torch.zeros(10).to(model.template), torch.from_numpy(pose).to(model.template), torch.from_numpy(T_camera_hand).to(model.template)
    )
    hand = HandResult(
        side="right",
        actor=model.name,
        T_camera_hand=T_camera_hand,
        pose=pose,
        shape=np.zeros(10),
        vertices=posed.vertices.numpy(),
        joints=posed.keypoints.numpy(),
        faces=model.faces.numpy().astype(np.int64),
        confidence=np.full(frames, 0.9),
    )
    K = np.array([[400.0, 0.0, 160.0], [0.0, 400.0, 120.0], [0.0, 0.0, 1.0]])
    return FitResult(
        frame_index=np.arange(frames),
        time_s=np.arange(frames) / 30.0,
        image_size=(320, 240),
        K=np.tile(K, (frames, 1, 1)),
        object_mesh=bowl(),
        T_camera_object=T_camera_object,
        object_confidence=confidence,
        hands=(hand,),
        summary=SUMMARY,
    )


assert len(JOINT_PARENTS) == len(JOINT_POSITIONS)
