"""A hand as an entity: starts as the posed actor, and its residual stays a residual."""

import torch
from tiny_scene import FIT_FRAMES, right_hand, tiny_scene

from hoifield.scene.actor_entity import LARGEST_RESIDUAL


def surface_points(count: int = 400) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(len(FIT_FRAMES), (count,), generator=generator)
    template = right_hand().template
    chosen = template[torch.randint(len(template), (count,), generator=generator)]
    return rows, chosen + 0.004 * torch.randn(count, 3, generator=generator)


def test_an_untrained_hand_is_the_posed_actor():
    actor, _ = tiny_scene().hands()[0]
    rows, points = surface_points()
    distance, gradient, colour, residual = actor.surface(rows, points)
    expected, slope = actor.volumes.lookup(rows, points)
    assert float(residual.detach().abs().max()) == 0.0
    assert torch.equal(distance, expected) and torch.equal(gradient, slope)
    assert bool(((colour > 0) & (colour < 1)).all())


def test_the_residual_is_bounded_whatever_the_network_says_and_vanishes_away_from_the_skin():
    actor, _ = tiny_scene().hands()[0]
    with torch.no_grad():
        actor.output.bias[0] = 1000.0
    rows, points = surface_points()
    distance, _, _, residual = actor.surface(rows, points)
    assert torch.allclose(residual, torch.full_like(residual, LARGEST_RESIDUAL))
    plain, _ = actor.volumes.lookup(rows, points)
    assert float((distance - plain).detach().abs().max()) <= LARGEST_RESIDUAL + 1e-7
    far = torch.tensor([[0.0, -0.06, 0.0]]) + actor.centre
    away, _, _, _ = actor.surface(torch.zeros(1, dtype=torch.int64), far)
    assert float((away.detach() - actor.volumes.lookup(torch.zeros(1, dtype=torch.int64), far)[0]).abs()) < 1e-6


def test_colour_and_residual_are_shared_by_all_frames_at_the_same_skin():
    actor, _ = tiny_scene().hands()[0]
    _, points = surface_points(50)
    first = actor.surface(torch.zeros(50, dtype=torch.int64), points)
    last = actor.surface(torch.full((50,), len(FIT_FRAMES) - 1), points)
    assert torch.allclose(first[2], last[2], atol=1e-5)


def test_distances_carry_gradients_to_points_and_to_the_residual_network():
    actor, _ = tiny_scene().hands()[0]
    rows, points = surface_points(64)
    points.requires_grad_()
    distance, gradient, _, _ = actor.surface(rows, points)
    distance.sum().backward()
    assert torch.allclose(points.grad, gradient)  # type: ignore[arg-type]
    assert float(actor.output.bias.grad[0].abs()) > 0  # type: ignore[index]


def test_volumes_follow_the_articulation_once_they_are_built_again():
    actor, poses = tiny_scene().hands()[0]
    before = actor.volumes.distance.clone()
    with torch.no_grad():
        poses.articulation[2, 1:13] += 0.3
    after = actor.build_volumes(poses)
    changed = (after.distance - before).abs().flatten(1).amax(1) > 1e-4
    assert changed.tolist() == [row == 2 for row in range(len(FIT_FRAMES))]
