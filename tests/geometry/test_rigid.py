"""Rigid transforms: composition and inverse; alignment recovers what was applied, and is optimal."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hoifield.geometry.rigid import align_points, compose, invert_rigid, transform_points
from hoifield.geometry.rotations import matrix_from_axis_angle


def random_rigid(seed: int, count: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    vectors, translation = torch.randn(2, count, 3, generator=generator, dtype=torch.float64)
    return compose(matrix_from_axis_angle(vectors), translation)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_there_and_back_leaves_points_where_they_were(seed: int):
    T = random_rigid(seed)
    points = torch.randn(4, 7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    assert torch.allclose(transform_points(invert_rigid(T), transform_points(T, points)), points, atol=1e-12)
    assert torch.allclose(invert_rigid(T) @ T, torch.eye(4, dtype=torch.float64).expand(4, 4, 4), atol=1e-12)


def test_transforms_chain_from_right_to_left():
    T_a_b, T_b_c = random_rigid(0), random_rigid(1)
    points = torch.randn(4, 5, 3, dtype=torch.float64)
    assert torch.allclose(transform_points(T_a_b @ T_b_c, points), transform_points(T_a_b, transform_points(T_b_c, points)))


def test_a_translation_moves_and_a_rotation_turns_about_the_origin():
    quarter = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    T = compose(quarter, torch.tensor([0.0, 0.0, 2.0]))
    assert torch.allclose(transform_points(T, torch.tensor([[1.0, 0.0, 0.0]])), torch.tensor([[0.0, 1.0, 2.0]]))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.2, 5.0))
def test_alignment_recovers_scale_and_transform(seed: int, scale: float):
    source = np.random.default_rng(seed).normal(size=(12, 3))
    T = random_rigid(seed, 1)[0].numpy()
    target = scale * source @ T[:3, :3].T + T[:3, 3]
    found_scale, found = align_points(source, target, with_scale=True)
    assert found_scale == pytest.approx(scale, rel=1e-9)
    assert np.allclose(found, T, atol=1e-8)


def test_without_scale_alignment_is_rigid_and_of_least_error_among_neighbours():
    generator = np.random.default_rng(3)
    source = generator.normal(size=(30, 3))
    target = 1.3 * source + 0.1 * generator.normal(size=(30, 3))
    scale, T = align_points(source, target, with_scale=False)
    assert scale == 1.0

    def error(candidate: np.ndarray) -> float:
        return float(((source @ candidate[:3, :3].T + candidate[:3, 3] - target) ** 2).sum())

    for seed in range(20):
        nudge = random_rigid(seed, 1)[0].numpy()
        vector = torch.tensor(nudge[:3, 0] * 0.01)
        moved = T.copy()
        moved[:3, :3] = matrix_from_axis_angle(vector).numpy() @ T[:3, :3]
        moved[:3, 3] += 0.01 * nudge[:3, 1]
        assert error(moved) > error(T)


def test_a_mirror_image_is_not_aligned_by_a_reflection():
    source = np.random.default_rng(0).normal(size=(20, 3))
    scale, T = align_points(source, source * [-1.0, 1.0, 1.0], with_scale=True)
    assert np.linalg.det(T[:3, :3]) == pytest.approx(1.0)
    assert 0.0 < scale < 1.0
