"""The object's colour: what it reads, and whether it may turn the surface."""

from dataclasses import replace

import pytest
import torch
from tiny_scene import RADIUS, TINY, tiny_scene

from hoifield.scene.scene import Scene

OWN = replace(TINY, colour_table_size=2**10, colour_finest_resolution=32)


def colour_slope(scene: Scene) -> tuple[float, float]:
    """Largest gradients of colours to the table of the distance, and to the normals."""
    points = RADIUS * torch.nn.functional.normalize(torch.randn(50, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    sample = scene.object_distance.query(points)
    normal = torch.nn.functional.normalize(sample.gradient.detach(), dim=-1).requires_grad_()
    scene.surface_colour(points, sample, normal).sum().backward()
    table = scene.object_distance.table.grad
    return 0.0 if table is None else float(table.abs().max()), 0.0 if normal.grad is None else float(normal.grad.abs().max())


def test_colours_read_the_table_of_the_distance_unless_they_have_their_own():
    assert colour_slope(tiny_scene())[0] > 0
    scene = tiny_scene(OWN)
    assert colour_slope(scene)[0] == 0
    assert scene.object_colour_grid is not None and float(scene.object_colour_grid.table.grad.abs().max()) > 0  # type: ignore[union-attr]


@pytest.mark.parametrize("shapes", [True, False])
def test_colours_pull_at_normals_only_where_shading_may_shape(shapes: bool):
    assert (colour_slope(tiny_scene(replace(OWN, shading_shapes=shapes)))[1] > 0) == shapes
