"""Distillation of unseen sides: a prior that knows the truth pulls the field to it where the clip is silent, and nowhere else."""

from dataclasses import dataclass

import pytest
import torch
from tiny_scene import RADIUS, make_exact_ball, tiny_pixels, tiny_scene

from hoifield.fitting import imagined_views
from hoifield.fitting.imagined_views import Imagination, ImaginedRays, imagine_unseen, imagined_loss
from hoifield.fitting.run_field_stage import read_object_grid
from hoifield.priors.geometry_prior import GeometryPrior
from hoifield.priors.noise_schedule import velocity
from hoifield.scene.scene import Scene


@dataclass(frozen=True)
class KnowsPictures(GeometryPrior):
    """Says what the pictures are, whatever it is shown."""

    pictures: torch.Tensor

    def denoiser(self, hand: torch.Tensor, category: str, guidance: float = 1.0):  # type: ignore[no-untyped-def]
        assert hand.shape == (imagined_views.VIEWS, 8, 64, 64) and (hand[:, 0] > 0).any()

        def denoise(noisy: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
            share = torch.sin(0.5 * torch.pi * time)[:, None, None, None]
            signal = torch.cos(0.5 * torch.pi * time)[:, None, None, None]
            return velocity(self.pictures, (noisy - signal * self.pictures) / share, time)

        return denoise


NOTHING = torch.cat([-torch.ones(1), torch.zeros(3), torch.ones(1)])[None, :, None, None].expand(imagined_views.VIEWS, 5, 64, 64)


def imagine(scene: Scene, pictures: torch.Tensor, seed: int = 0) -> ImaginedRays:
    prior = KnowsPictures(None, {}, pictures)  # type: ignore[arg-type]
    return imagine_unseen(Imagination(prior, "unknown"), scene, tiny_pixels(), read_object_grid(scene), seed, 0.0)


@pytest.fixture
def scene() -> Scene:
    scene = tiny_scene()
    make_exact_ball(scene)
    return scene


def test_what_the_clip_shows_is_not_asked_about(scene: Scene) -> None:
    rays = imagine(scene, NOTHING)
    T = scene.frames.T_camera_object()
    camera = -(T[:, :3, :3].transpose(1, 2) @ T[:, :3, 3:])[..., 0]
    normal = rays.surface / rays.surface.norm(dim=1, keepdim=True)
    sight = camera[:, None] - rays.surface
    facing = ((sight / sight.norm(dim=-1, keepdim=True)) * normal).sum(-1)
    assert len(rays.covered) > 100
    assert (facing > 0.7).all(0).float().mean() < 0.05


def test_the_same_seed_imagines_the_same(scene: Scene) -> None:
    one, same, other = imagine(scene, NOTHING, 4), imagine(scene, NOTHING, 4), imagine(scene, NOTHING, 5)
    assert torch.equal(one.surface, same.surface) and torch.equal(one.to_depth, same.to_depth)
    assert one.surface.shape != other.surface.shape or not torch.equal(one.surface, other.surface)


def test_a_belief_that_is_right_pulls_nowhere(scene: Scene) -> None:
    rays = imagine(scene, NOTHING)
    unit = rays.surface / rays.surface.norm(dim=1, keepdim=True)
    right = ImaginedRays(rays.surface, rays.nearest, rays.covered, rays.depth, rays.direction, rays.covered, rays.depth, unit)
    assert float(imagined_loss(scene.object_distance, right, 4096, torch.Generator().manual_seed(0))) < 1e-3


@pytest.mark.parametrize("deeper", [0.005, -0.005])
def test_a_belief_of_another_depth_moves_the_surface_there(scene: Scene, deeper: float) -> None:
    rays = imagine(scene, NOTHING)
    along = (rays.surface / rays.surface.norm(dim=1, keepdim=True) * rays.direction).sum(1)
    front = rays.covered & (along < -0.8)
    chosen = ImaginedRays(*(getattr(rays, name)[front] for name in ImaginedRays.__dataclass_fields__))
    unit = chosen.surface / chosen.surface.norm(dim=1, keepdim=True)
    moved = ImaginedRays(
        chosen.surface, chosen.nearest, chosen.covered, chosen.depth, chosen.direction, chosen.covered, chosen.depth + deeper, unit
    )
    optimiser = torch.optim.Adam(scene.object_distance.parameters(), lr=1e-3)
    for step in range(60):
        loss = imagined_loss(scene.object_distance, moved, 256, torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    distance = scene.object_distance.query(chosen.surface).signed_distance.mean()
    assert distance.sign() == torch.tensor(deeper).sign() and abs(float(distance)) > 0.001


def test_a_belief_in_nothing_takes_matter_away_and_one_in_more_adds_it(scene: Scene) -> None:
    rays = imagine(scene, NOTHING)
    assert not rays.to_cover.any() and rays.covered.any()
    loss = imagined_loss(scene.object_distance, rays, 256, torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad(loss, [scene.object_distance.network.last.bias])
    assert gradient[0] < 0
    missed = ImaginedRays(
        rays.nearest, rays.nearest * (RADIUS + 0.01) / rays.nearest.norm(dim=1, keepdim=True), torch.zeros_like(rays.covered), rays.depth,
        rays.direction, torch.ones_like(rays.covered), rays.depth, rays.direction,
    )
    loss = imagined_loss(scene.object_distance, missed, 256, torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad(loss, [scene.object_distance.network.last.bias])
    assert gradient[0] > 0
