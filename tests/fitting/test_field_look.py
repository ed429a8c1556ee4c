"""The field seen by the prior is the mesh seen by the prior: teaching and distillation look at the same pictures."""

import numpy as np
import torch
import trimesh
from scipy.spatial.transform import Rotation
from tiny_scene import RADIUS, exact_ball_grid, make_exact_ball, tiny_scene

from hoifield.fitting.field_look import FieldLook, depth_in_view, look_at_field
from hoifield.priors.geometry_view import VIEW_EXTENT, VIEW_SIZE, draw_surface


def view(shift: tuple[float, float, float] = (0.021, -0.013, 0.03)) -> torch.Tensor:
    T = torch.eye(4)
    T[:3, :3] = torch.from_numpy(Rotation.from_rotvec([0.4, -0.7, 0.2]).as_matrix()).float()
    T[:3, 3] = torch.tensor(shift)
    return T


def look(T: torch.Tensor) -> FieldLook:
    scene = tiny_scene()
    make_exact_ball(scene)
    return look_at_field(scene.object_distance.query, exact_ball_grid(64), T)


def mesh_picture(T: torch.Tensor, radius: float = RADIUS) -> np.ndarray:
    ball = trimesh.creation.icosphere(6, radius)
    points = np.asarray(ball.vertices)
    R, t = T[:3, :3].double().numpy(), T[:3, 3].double().numpy()
    return draw_surface(points @ R.T + t, points / radius @ R.T, np.asarray(ball.faces)).channels()


def largest_difference(one: np.ndarray, other: np.ndarray) -> float:
    """Over pixels that both cover with the surface not seen edge-on."""
    both = (one[0] > 0) & (other[0] > 0) & (one[3] < -0.3)
    return float(np.abs(one - other)[:, both].max())


def test_teaching_and_distillation_see_the_same_picture() -> None:
    T = view()
    field, mesh = look(T).picture()[0].numpy(), mesh_picture(T)
    assert (field[0] != mesh[0]).mean() < 0.002
    assert largest_difference(field, mesh) < 1e-3


def test_the_comparison_notices_half_a_millimetre() -> None:
    T = view()
    assert largest_difference(look(T).picture()[0].numpy(), mesh_picture(T, RADIUS + 0.0005)) > 2e-3


def test_rays_that_miss_know_where_the_field_is_lowest() -> None:
    T = view()
    seen = look(T)
    middle = seen.T_view_object[:3, :3] @ torch.zeros(3) + T[:3, 3]
    missed = ~seen.cover
    depth = depth_in_view(T, seen.nearest[missed]) * VIEW_EXTENT / 2
    aside = (seen.nearest[missed].norm(dim=1) - RADIUS) < 0.01
    assert missed.sum() > VIEW_SIZE and (depth[aside] - middle[2]).abs().max() < 0.003


def test_a_view_that_mirrors_gives_the_mirrored_picture() -> None:
    T = torch.eye(4)
    T[:3, 3] = torch.tensor([0.02, 0.01, 0.0])
    mirrored = T.clone()
    mirrored[0, :3] *= -1
    mirrored[0, 3] *= -1
    plain, turned = look(T).picture()[0], look(mirrored).picture()[0].flip(-1)
    turned[1] *= -1
    assert torch.allclose(plain, turned, atol=1e-4)
