"""Pinhole cameras: pixel centres at +0.5 through resizing and cropping."""

import numpy as np
import pytest
import torch

from hoifield.geometry.cameras import Camera, pixel_directions, project

CAMERA = Camera(np.array([[500.0, 0.0, 310.0], [0.0, 520.0, 250.0], [0.0, 0.0, 1.0]]), 640, 480)


def points() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(50, 3, generator=generator, dtype=torch.float64) - torch.tensor([0.5, 0.5, -0.3], dtype=torch.float64)


def test_a_point_on_the_axis_falls_on_the_principal_point():
    camera = Camera.from_focal(600.0, 640, 480)
    assert camera.focal == 600.0
    assert project(torch.tensor([0.0, 0.0, 0.7]), torch.tensor(camera.K).float()).tolist() == [320.0, 240.0]


def test_x_goes_right_and_y_goes_down():
    x, y = project(torch.tensor([0.1, 0.2, 1.0], dtype=torch.float64), torch.tensor(CAMERA.K)).tolist()
    assert (x, y) == pytest.approx((310 + 50, 250 + 104))


def test_rays_through_projected_points_meet_the_points():
    K = torch.tensor(CAMERA.K)
    directions = pixel_directions(project(points(), K), K)
    assert torch.allclose(directions.norm(dim=-1), torch.ones(50, dtype=torch.float64))
    assert torch.allclose(directions * points().norm(dim=-1, keepdim=True), points(), atol=1e-12)


def test_resizing_scales_positions_so_that_pixel_centres_stay_at_a_half():
    small = CAMERA.resized(320, 120)
    before, after = project(points(), torch.tensor(CAMERA.K)), project(points(), torch.tensor(small.K))
    assert torch.allclose(after, before * torch.tensor([0.5, 0.25], dtype=torch.float64))
    assert (small.width, small.height) == (320, 120)


def test_points_behind_the_camera_stay_finite():
    behind = torch.tensor([[0.1, 0.1, -1.0], [0.1, 0.1, 0.0]])
    assert torch.isfinite(project(behind, torch.tensor(CAMERA.K).float())).all()
