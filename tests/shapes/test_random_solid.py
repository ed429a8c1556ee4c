"""Solids of no family: closed, of a size that hands hold, the same for a seed, and unlike each other."""

import numpy as np
import pytest
import trimesh

from hoifield.shapes.random_solid import LONGEST, SHORTEST, draw_random_solid


@pytest.mark.parametrize("seed", range(6))
def test_a_solid_is_closed_and_can_be_held(seed: int) -> None:
    mesh = draw_random_solid(np.random.default_rng(seed))
    assert trimesh.Trimesh(mesh.vertices, mesh.faces).is_watertight
    assert SHORTEST - 1e-9 <= mesh.extent.max() <= LONGEST + 1e-9
    assert np.allclose(mesh.vertices.min(0), -mesh.vertices.max(0), atol=1e-9)


def test_a_seed_gives_one_solid_and_another_seed_another() -> None:
    first, again, other = (draw_random_solid(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.vertices, again.vertices) and np.array_equal(first.faces, again.faces)
    assert first.vertices.shape != other.vertices.shape or not np.allclose(first.extent, other.extent)
