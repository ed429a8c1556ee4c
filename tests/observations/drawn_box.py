"""Boxes drawn under given poses, as silhouettes with exact truth; hands are nowhere."""

import numpy as np
import trimesh

from hoifield.geometry.cameras import Camera
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.observations.visual_hull import SilhouetteEvidence, gather_evidence


def draw_box(sides: tuple[float, float, float], poses: np.ndarray, camera: Camera) -> SilhouetteEvidence:
    """The silhouettes of a box (metres) about the origin of the object frame."""
    box = trimesh.creation.box(sides)
    faces = np.asarray(box.faces)
    drawn = [rasterise_mesh(box.vertices @ T[:3, :3].T + T[:3, 3], faces, camera.K, camera.width, camera.height)[1] for T in poses]
    labels = (np.stack(drawn) >= 0).astype(np.uint8)
    return gather_evidence(labels, np.arange(len(labels)), np.ones(len(labels)), camera)
