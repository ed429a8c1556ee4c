"""Rotations: closed forms, round trips at every angle, smoothness at zero."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hoifield.geometry.rotations import axis_angle_from_matrix, cross_matrix, matrix_from_axis_angle, quaternion_from_matrix, rotation_angle

components = st.floats(-1.0, 1.0)
axes = st.tuples(components, components, components).filter(lambda v: sum(c * c for c in v) > 1e-2)


def axis_angle(axis: tuple[float, float, float], angle: float) -> torch.Tensor:
    vector = torch.tensor(axis, dtype=torch.float64)
    return vector / vector.norm() * angle


def test_a_quarter_turn_about_z_takes_x_to_y():
    turned = matrix_from_axis_angle(torch.tensor([0.0, 0.0, math.pi / 2])) @ torch.tensor([1.0, 0.0, 0.0])
    assert torch.allclose(turned, torch.tensor([0.0, 1.0, 0.0]), atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(axis=axes, angle=st.floats(0.0, 3.0))
def test_matrices_are_rotations_and_equal_the_matrix_exponential(axis: tuple[float, float, float], angle: float):
    vector = axis_angle(axis, angle)
    R = matrix_from_axis_angle(vector)
    assert torch.allclose(R @ R.T, torch.eye(3, dtype=torch.float64), atol=1e-12)
    assert torch.linalg.det(R) == pytest.approx(1.0, abs=1e-12)
    assert torch.allclose(R, torch.linalg.matrix_exp(cross_matrix(vector)), atol=1e-9)


@settings(max_examples=80, deadline=None)
@given(axis=axes, angle=st.one_of(st.floats(0.0, math.pi - 1e-6), st.sampled_from([0.0, 1e-9, 1e-6, 1e-4, 1.5, 3.1, math.pi - 1e-5])))
def test_axis_angle_comes_back_from_its_matrix_near_zero_and_near_pi_too(axis: tuple[float, float, float], angle: float):
    vector = axis_angle(axis, angle)
    R = matrix_from_axis_angle(vector)
    assert torch.allclose(axis_angle_from_matrix(R), vector, atol=1e-7)
    assert float(rotation_angle(R)) == pytest.approx(angle, abs=1e-7)


@settings(max_examples=50, deadline=None)
@given(axis=axes, angle=st.floats(0.0, 3.14))
def test_quaternions_are_those_of_half_the_angle(axis: tuple[float, float, float], angle: float):
    vector = axis_angle(axis, angle)
    quaternion = quaternion_from_matrix(matrix_from_axis_angle(vector))
    unit = axis_angle(axis, 1.0)
    expected = torch.cat([torch.tensor([math.cos(angle / 2)], dtype=torch.float64), math.sin(angle / 2) * unit])
    assert torch.allclose(quaternion, expected, atol=1e-8)


def test_half_turns_about_every_axis_have_the_angle_pi():
    for axis in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.6, 0.8, 0.0)):
        unit = torch.tensor(axis, dtype=torch.float64)
        assert float(rotation_angle(2 * torch.outer(unit, unit) - torch.eye(3, dtype=torch.float64))) == pytest.approx(math.pi)


def test_value_and_gradient_are_right_and_finite_at_zero_and_on_both_sides_of_the_small_angle_switch():
    for size in (0.0, 1e-5, 0.99e-4, 1.01e-4, 1e-3):
        vector = torch.tensor([0.0, 0.0, size], dtype=torch.float64, requires_grad=True)
        jacobian = torch.autograd.functional.jacobian(matrix_from_axis_angle, vector)
        # At zero dR/dx is the generator about x; a rotation of `size` changes it by no more than that.
        generator = cross_matrix(torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64))
        assert torch.isfinite(jacobian).all()
        assert float((jacobian[..., 0] - generator).abs().max()) <= size


def test_the_gradient_agrees_with_numerical_differences_where_it_is_used():
    vectors = torch.tensor([[0.3, -0.2, 0.1], [1.0, 2.0, -0.5], [1e-3, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(matrix_from_axis_angle, (vectors,))


def test_cross_matrix_is_the_cross_product():
    a, b = torch.randn(2, 20, 3, generator=torch.Generator().manual_seed(0))
    assert torch.allclose((cross_matrix(a) @ b[..., None])[..., 0], torch.linalg.cross(a, b), atol=1e-6)
