"""Compositing, placing and turning: each kernel equals its readable twin in values and in every gradient."""

import pytest
import torch

from hoifield.geometry.rigid import compose
from hoifield.geometry.rotations import matrix_from_axis_angle
from hoifield.renderer.composite import CompositeColours, composite_entities, composite_entities_torch
from hoifield.renderer.place_torch import place_samples, place_samples_torch, turn_normals, turn_normals_torch

RAYS, SAMPLES = 150, 11


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found.detach().double() - expected.detach().double()).norm() / expected.detach().double().norm())


def composited(engine, entities: int, width: float, dtype: torch.dtype, wrong: float = 1.0) -> list[torch.Tensor]:  # type: ignore[no-untyped-def]
    """Five differentiable outputs, the sample weights, and the gradients to distances, colours and background of a random weighting."""
    near = random(RAYS, SAMPLES, entities, seed=1) < 0.6
    near[:4] = False
    per_entity = near.permute(2, 0, 1).reshape(-1)
    slot = torch.where(per_entity, per_entity.cumsum(0) - 1, -1).reshape(entities, RAYS, SAMPLES).permute(1, 2, 0).contiguous()
    count = int(near.sum())
    distance = ((random(count, seed=2) - 0.4) * 8 * width).to(dtype).requires_grad_()
    colour = random(count, 3, seed=3).to(dtype).requires_grad_()
    behind = random(RAYS, 3, seed=4).to(dtype).requires_grad_()
    intervals = (random(RAYS, SAMPLES, seed=5) ** 3 * 2 * width).to(dtype)
    found: CompositeColours = engine(distance, colour, slot, behind, intervals, width * wrong)
    outputs = [found.colour, found.alone_colour, found.alone_opacity, found.entity_weight, found.background]
    weighted = sum((output * (random(*output.shape, seed=6 + k).to(dtype) - 0.3)).sum() for k, output in enumerate(outputs))
    return [*outputs, found.sample_weight, *torch.autograd.grad(weighted, [distance, colour, behind])]


@pytest.mark.parametrize("entities", [1, 2, 3])
@pytest.mark.parametrize("width", [0.0005, 0.008])
def test_compositing_equals_its_twin_in_values_and_gradients(entities: int, width: float):
    reference = composited(composite_entities_torch, entities, width, torch.float64)
    for found, expected in zip(composited(composite_entities, entities, width, torch.float32), reference, strict=True):
        assert relative_error(found, expected) < 2e-5


def test_the_twin_would_notice_a_wrong_width():
    found, expected = (composited(composite_entities, 2, 0.004, torch.float32, wrong) for wrong in (1.0, 1.02))
    assert relative_error(found[0], expected[0]) > 1e-3


def test_compositing_does_not_depend_on_the_threads():
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(composited(composite_entities, 2, 0.002, torch.float32))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_gradients_of_the_twin_are_those_of_finite_differences():
    slot = torch.tensor([[[0, 2], [1, -1], [-1, 3]]])
    intervals = torch.tensor([[0.5, 0.7, 0.2]], dtype=torch.float64)
    distance = torch.tensor([0.3, -0.2, 0.1, -0.4], dtype=torch.float64, requires_grad=True)
    colour = random(4, 3).double().requires_grad_()

    def read(distance: torch.Tensor, colour: torch.Tensor) -> torch.Tensor:
        found = composite_entities_torch(distance, colour, slot, torch.full((1, 3), 0.4, dtype=torch.float64), intervals, 0.5)
        return torch.cat([found.colour.flatten(), found.alone_colour.flatten(), found.alone_opacity.flatten(), found.entity_weight.flatten()])

    assert torch.autograd.gradcheck(read, (distance, colour))


def placed(engines, dtype: torch.dtype) -> list[torch.Tensor]:  # type: ignore[no-untyped-def]
    """Points and normals, and the gradients of a random weighting of both to the transforms and to the field's gradients."""
    place, turn = engines
    ray = torch.arange(RAYS).repeat_interleave(3)[random(RAYS * 3, seed=1) < 0.7]
    T = compose(matrix_from_axis_angle(random(RAYS, 3, seed=2) * 4 - 2), random(RAYS, 3, seed=3)).to(dtype).requires_grad_()
    directions = torch.nn.functional.normalize(random(RAYS, 3, seed=4) - 0.5, dim=-1).to(dtype)
    gradient = ((random(len(ray), 3, seed=5) - 0.5) * 3).to(dtype).requires_grad_()
    points, normals = place(T, directions, random(len(ray), seed=6).to(dtype), ray), turn(gradient, T, ray)
    weighted = (points * random(len(ray), 3, seed=7).to(dtype)).sum() + (normals * random(len(ray), 3, seed=8).to(dtype)).sum()
    return [points, normals, *torch.autograd.grad(weighted, [T, gradient])]


def test_placing_and_turning_equal_their_twins_in_values_and_gradients():
    reference = placed((place_samples_torch, turn_normals_torch), torch.float64)
    for found, expected in zip(placed((place_samples, turn_normals), torch.float32), reference, strict=True):
        assert relative_error(found, expected) < 1e-5


def test_a_gradient_of_zero_gives_a_harmless_normal():
    gradient = torch.zeros(2, 3, requires_grad=True)
    normals = turn_normals(gradient, torch.eye(4)[None], torch.zeros(2, dtype=torch.int64))
    normals.sum().backward()
    assert bool(normals.isfinite().all()) and bool(gradient.grad.isfinite().all())  # type: ignore[union-attr]
