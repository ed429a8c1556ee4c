"""What a clip's silhouettes leave open, as a small volume that looks along the mean view: what the network that completes shapes is shown."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hoifield.observations.frame_masks import OBJECT
from hoifield.observations.visual_hull import UNSEEN, CarveConfig, HullGrid, SilhouetteEvidence, carve_nodes, object_pixels
from hoifield.priors.completion_network import CLIPPED, VOLUME_SHAPE

MARGIN = 1.12
"""How much wider the volume is than what is seen of the object."""
FEWEST_PIXELS = 12
USUAL_SPACING = 0.004
"""Metres; the logarithm of the spacing in this unit tells the network the object's size."""


@dataclass(frozen=True)
class EvidenceVolume:
    """A box of nodes in the object frame: x along the longer side that is seen, z along the mean view, away from the camera."""

    T_object_volume: Float[np.ndarray, "4 4"]
    """From the volume's frame, whose origin is its middle, metres."""
    spacing: float
    shape: tuple[int, int, int]

    @property
    def lower(self) -> Float[np.ndarray, "3"]:
        """The first node, volume frame."""
        return -0.5 * self.spacing * (np.array(self.shape) - 1)

    def nodes(self) -> Float[np.ndarray, "node 3"]:
        """Where the nodes lie, object frame."""
        local = np.indices(self.shape).reshape(3, -1).T * self.spacing + self.lower
        return local @ self.T_object_volume[:3, :3].T + self.T_object_volume[:3, 3]

    def at(self, values: Float[np.ndarray, "x y z"], points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "point"]:
        """Values of the nodes between them, at points of the object frame; far outside, infinite."""
        local = (points - self.T_object_volume[:3, 3]) @ self.T_object_volume[:3, :3]
        return HullGrid(values, self.lower, self.spacing).at(local)


def choose_volume(
    evidence: SilhouetteEvidence, poses: Float[np.ndarray, "frame 4 4"], shape: tuple[int, int, int] = VOLUME_SHAPE
) -> EvidenceVolume | None:
    """The volume about what is seen of the object; None where hardly anything is. `poses` are T_camera_object, metres."""
    shown = [int(index) for index in np.flatnonzero(np.isfinite(poses).all((1, 2))) if (evidence.labels[index] == OBJECT).sum() >= FEWEST_PIXELS]
    if not shown:
        return None
    away = poses[shown, :3, :3].transpose(0, 2, 1) @ poses[shown, :3, 3, None]
    z = (away / np.linalg.norm(away, axis=1, keepdims=True)).mean(0)[:, 0]
    z /= np.linalg.norm(z)
    first = np.cross(z, np.eye(3)[np.abs(z).argmin()])
    across = np.stack([first / np.linalg.norm(first), np.cross(z, first) / np.linalg.norm(first)])
    seen = np.concatenate([_across_view(evidence, poses, index) @ across.T for index in shown])
    axes = np.linalg.eigh(np.cov(seen.T))[1][:, ::-1].T @ across
    axes[1] = np.cross(z, axes[0])
    placed = seen @ across @ axes.T
    low, high = np.percentile(placed, 1, axis=0), np.percentile(placed, 99, axis=0)
    T = np.eye(4)
    T[:3, :3] = np.stack([axes[0], axes[1], z], axis=1)
    T[:3, 3] = 0.5 * (low + high) @ axes
    spacing = MARGIN * ((high - low) / (np.array(shape[:2]) - 1)).max()
    return EvidenceVolume(T, float(spacing), shape)


def _across_view(evidence: SilhouetteEvidence, poses: Float[np.ndarray, "frame 4 4"], index: int) -> Float[np.ndarray, "pixel 3"]:
    """A frame's object pixels where their rays pass the plane through the object's origin that faces the camera, object frame."""
    pixels = object_pixels(evidence.labels[index])
    pixels = pixels[:: max(len(pixels) // 300, 1)]
    pose = poses[index]
    rays = np.linalg.solve(evidence.camera.K, np.column_stack([pixels, np.ones(len(pixels))]).T).T
    return (rays * pose[2, 3] - pose[:3, 3]) @ pose[:3, :3]


def gather_channels(
    evidence: SilhouetteEvidence, poses: Float[np.ndarray, "frame 4 4"], volume: EvidenceVolume, hand: HullGrid | None, config: CarveConfig
) -> Float[np.ndarray, "channel=5 x y z"]:
    """The network's view of the silhouettes, each in [-1, 1]: the carved value in nodes, where no frame says anything, the share of the
    frames that see a node on the object, the distance to the hand (object frame; 1 without), and the size of the nodes."""
    field, votes = carve_nodes(evidence, poses @ volume.T_object_volume, volume.lower, volume.shape, volume.spacing, config)
    hidden = field == UNSEEN
    total = max(float(evidence.weight[np.isfinite(poses).all((1, 2))].sum()), 1e-6)
    far = CLIPPED * volume.spacing
    skin = np.full(volume.shape, far) if hand is None else hand.at(volume.nodes()).reshape(volume.shape)
    size = np.full(volume.shape, np.log(volume.spacing / USUAL_SPACING))
    channels = [np.where(hidden, 0.0, field / far), hidden, 2 * votes / total - 1, skin / far, size]
    return np.stack([np.clip(channel, -1, 1) for channel in channels]).astype(np.float32)
