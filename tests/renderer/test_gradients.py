"""Every gradient a training step uses, against finite differences in 64 bits: kernels, and their plain twins in 32 and in 64 bits."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from hoifield.fields.distance_field import DistanceField
from hoifield.fields.encode import encode
from hoifield.fields.hash_grid_layout import HashGridLayout
from hoifield.geometry.plain_reference import plain_reference
from hoifield.renderer.composite import composite_entities
from hoifield.renderer.place_torch import place_samples, turn_normals

LAYOUT = HashGridLayout(levels=4, table_size=2**10, base_resolution=6, finest_resolution=24)
STEP = 1e-7
DIRECTIONS = 6
ENGINES = {"kernels": (torch.float32, nullcontext, 3e-4), "twins": (torch.float32, plain_reference, 3e-4), "twins, 64 bits": (torch.float64, nullcontext, 1e-6)}


@dataclass(frozen=True)
class Case:
    """A function of several tensors to one number, and where its gradient is taken."""

    inputs: tuple[Tensor, ...]
    read: Callable[..., Tensor]


def rand(*shape: int, seed: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).float().double()


def weigh(values: Tensor, seed: int) -> Tensor:
    """A random weighted sum, the same in every precision."""
    return (values * (rand(*values.shape, seed=seed) - 0.4).to(values)).sum()


def off_faces(points: Tensor) -> Tensor:
    """The points (in [0, 1]) that neither a step nor 32-bit rounding pushes into a neighbouring cell."""
    fraction = [(points * shape.scale + 0.5) % 1 for shape in LAYOUT.level_shapes]
    return points[torch.stack([(part > 2e-3) & (part < 1 - 2e-3) for part in fraction]).all(0).all(-1)]


def encoding() -> Case:
    def read(points: Tensor, table: Tensor) -> Tensor:
        found = encode(points, table, LAYOUT)
        return weigh(found.features, 1) + weigh(found.jacobian, 2)

    return Case((off_faces(rand(300, 3, seed=3)), rand(LAYOUT.entries, 2, seed=4) - 0.5), read)


class Query(nn.Module):
    """`DistanceField.query` as a module's call, so that parameters can be given."""

    def __init__(self, field: DistanceField) -> None:
        super().__init__()
        self.field = field

    def forward(self, points: Tensor) -> Tensor:
        found = self.field.query(points)
        return 10 * weigh(found.signed_distance, 5) + weigh(found.gradient, 6) + weigh(found.feature, 7)


def distance_field() -> Case:
    query = Query(DistanceField(torch.zeros(3), 1.0, LAYOUT, hidden=12, feature_count=5, seed=1))
    named = dict(query.named_parameters())
    table = rand(LAYOUT.entries, 2, seed=8) - 0.5

    def read(points: Tensor, *parameters: Tensor) -> Tensor:
        buffers = {name: buffer.to(points) for name, buffer in query.named_buffers()}
        return torch.func.functional_call(query, {**dict(zip(named, parameters, strict=True)), **buffers}, (points,))

    values = [table if name == "field.table" else value.detach().double() for name, value in named.items()]
    return Case((off_faces(rand(200, 3, seed=9)) * 2 - 1, *values), read)


def compositing() -> Case:
    near = rand(40, 9, 2, seed=10) < 0.7
    slot = torch.where(near, near.reshape(-1).cumsum(0).reshape(near.shape) - 1, -1)
    intervals, count = rand(40, 9, seed=11) * 0.5, int(near.sum())

    def read(distance: Tensor, colour: Tensor, behind: Tensor) -> Tensor:
        found = composite_entities(distance, colour, slot, behind, intervals.to(distance), 0.3)
        outputs = (found.colour, found.alone_colour, found.alone_opacity, found.entity_weight, found.background)
        return torch.stack([weigh(output, 12 + number) for number, output in enumerate(outputs)]).sum()

    return Case((rand(count, seed=20) - 0.4, rand(count, 3, seed=21), rand(40, 3, seed=22)), read)


def placing() -> Case:
    ray = torch.arange(30).repeat_interleave(4)
    directions, along = nn.functional.normalize(rand(30, 3, seed=23) - 0.5, dim=-1), rand(120, seed=24)

    def read(T: Tensor, gradient: Tensor) -> Tensor:
        points = place_samples(T, directions.to(T), along.to(T), ray)
        return weigh(points, 25) + weigh(turn_normals(gradient, T, ray), 26)

    return Case((rand(30, 4, 4, seed=27), rand(120, 3, seed=28) - 0.5), read)


CASES = {"encoding": encoding, "distance field": distance_field, "compositing": compositing, "placing and turning": placing}


def slopes_by_differences(case: Case, moves: list[tuple[Tensor, ...]]) -> Tensor:
    """Derivatives along each move, in 64 bits."""
    found = []
    for move in moves:
        above, below = (case.read(*(nn.Parameter(value + sign * STEP * way) for value, way in zip(case.inputs, move))) for sign in (1, -1))
        found.append((above - below) / (2 * STEP))
    return torch.stack(found).detach()


def slopes_by_gradient(case: Case, moves: list[tuple[Tensor, ...]], engine: str, wrong: float = 1.0) -> Tensor:
    """The same from gradients; `wrong` is a factor on that of the first input."""
    dtype, switch, _ = ENGINES[engine]
    inputs = [nn.Parameter(value.to(dtype)) for value in case.inputs]
    with switch():
        gradients = list(torch.autograd.grad(case.read(*inputs), inputs))
    gradients[0] = gradients[0] * wrong
    return torch.tensor([sum(float((gradient.double() * way).sum()) for gradient, way in zip(gradients, move)) for move in moves], dtype=torch.float64)


def error_of(name: str, engine: str, wrong: float = 1.0) -> float:
    """Relative error over moves of one input at a time and of all together."""
    case, moves = CASES[name](), []
    for seed in range(DIRECTIONS):
        ways = [rand(*value.shape, seed=30 + seed) - 0.5 for value in case.inputs]
        moves += [tuple(way if own == number else torch.zeros_like(way) for own, way in enumerate(ways)) for number in range(len(ways))]
    expected, found = slopes_by_differences(case, moves), slopes_by_gradient(case, moves, engine, wrong)
    every = len(case.inputs)
    # One input at a time: a large gradient to one must not hide a wrong one to another.
    return max(float((found[k::every] - expected[k::every]).norm() / expected[k::every].norm()) for k in range(every))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_finite_differences(name: str, engine: str):
    assert error_of(name, engine) < ENGINES[engine][2]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", CASES)
def test_a_gradient_that_is_off_by_a_hundredth_would_be_seen(name: str, engine: str):
    assert error_of(name, engine, wrong=1.01) > 5e-3
