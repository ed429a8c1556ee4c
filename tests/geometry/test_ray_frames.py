"""Frames of rays: turns, each the other's inverse, that carry the axis onto the ray."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from hoifield.geometry.ray_frames import from_ray_frames, to_ray_frames


def drawn(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rays = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    rays[:, 2] = rays[:, 2].abs() + 0.05
    return torch.randn(40, 3, generator=generator, dtype=torch.float64), functional.normalize(rays, dim=-1)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000))
def test_what_is_turned_into_the_frames_of_rays_is_turned_back(seed: int) -> None:
    directions, rays = drawn(seed)
    told = to_ray_frames(directions, rays)
    torch.testing.assert_close(from_ray_frames(told, rays), directions)
    torch.testing.assert_close(told.norm(dim=-1), directions.norm(dim=-1))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000))
def test_along_the_ray_is_the_third_component(seed: int) -> None:
    directions, rays = drawn(seed)
    torch.testing.assert_close(to_ray_frames(directions, rays)[:, 2], (directions * rays).sum(-1))


def test_the_middle_of_the_picture_sees_as_the_camera_does() -> None:
    directions, rays = drawn(0)
    axis = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand_as(rays)
    torch.testing.assert_close(to_ray_frames(directions, axis), directions)


def test_the_turn_is_the_least_one() -> None:
    _, rays = drawn(1)
    across = torch.linalg.cross(torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand_as(rays), rays)
    torch.testing.assert_close(to_ray_frames(across, rays), across)
