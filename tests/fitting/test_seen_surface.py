"""What the clip has shown of a ball on a palm: the side towards the camera, and not where the hand is."""

import torch
from tiny_scene import RADIUS, exact_ball_grid, make_exact_ball, tiny_pixels, tiny_scene

from hoifield.fitting.seen_surface import find_seen
from hoifield.renderer.cached_distance import CachedDistance


def on_ball(count: int = 600) -> torch.Tensor:
    directions = torch.randn(count, 3, generator=torch.Generator().manual_seed(0))
    return directions / directions.norm(dim=1, keepdim=True)


def seen_and_facing(lookup: CachedDistance) -> tuple[torch.Tensor, torch.Tensor]:
    scene = tiny_scene()
    make_exact_ball(scene)
    normals = on_ball()
    T = scene.frames.T_camera_object()
    camera = -(T[:, :3, :3].transpose(1, 2) @ T[:, :3, 3:])[..., 0]
    sight = camera[:, None] - RADIUS * normals
    facing = ((sight / sight.norm(dim=-1, keepdim=True)) * normals).sum(-1)
    return find_seen(scene, tiny_pixels(), lookup, RADIUS * normals, normals), facing


def test_the_side_towards_the_camera_is_seen_and_the_far_side_is_not() -> None:
    seen, facing = seen_and_facing(exact_ball_grid())
    assert not seen[(facing < 0.1).all(0)].any()
    assert seen[(facing > 0.6).all(0)].float().mean() > 0.9
    assert 0.1 < seen.float().mean() < 0.7


def test_nothing_is_seen_through_the_object_itself() -> None:
    ball = exact_ball_grid()
    everywhere_inside = CachedDistance(-torch.ones_like(ball.values), ball.lower, ball.spacing)
    seen, _ = seen_and_facing(everywhere_inside)
    assert not seen.any()


def test_no_points_are_no_trouble() -> None:
    scene = tiny_scene()
    assert len(find_seen(scene, tiny_pixels(), exact_ball_grid(), torch.zeros(0, 3), torch.zeros(0, 3))) == 0
