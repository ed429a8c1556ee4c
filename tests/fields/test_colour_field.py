"""Colours stay in range and depend on exactly what they are given."""

import torch

from hoifield.fields.colour_field import ColourField
from hoifield.fields.spherical_harmonics import spherical_harmonics


def _unit(count, seed):
    vectors = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))
    return vectors / vectors.norm(dim=-1, keepdim=True)


def test_harmonics_are_orthonormal_on_the_sphere():
    basis = spherical_harmonics(*_unit(200_000, 0).double().t().unbind(0))
    torch.testing.assert_close(basis @ basis.t() / basis.shape[1], torch.eye(8, dtype=torch.float64), atol=0.02, rtol=0)
    assert float(basis.mean(dim=1).abs().max()) < 0.02


def test_colours_are_in_range_and_depend_on_the_view_only_where_asked():
    feature = torch.randn(64, 15, generator=torch.Generator().manual_seed(1))
    for view_dependent in (True, False):
        field = ColourField(15, view_dependent=view_dependent)
        colour = field(feature, _unit(64, 2), _unit(64, 3))
        turned = field(feature, _unit(64, 2), _unit(64, 4))
        assert colour.shape == (64, 3) and bool(((colour > 0) & (colour < 1)).all())
        assert torch.equal(colour, turned) != view_dependent


def test_the_length_of_the_normal_does_not_matter_and_a_zero_normal_is_harmless():
    field = ColourField(15, view_dependent=True)
    feature, normal, direction = torch.randn(8, 15), _unit(8, 2), _unit(8, 3)
    torch.testing.assert_close(field(feature, normal, direction), field(feature, normal * 3, direction))
    normal = torch.zeros(8, 3, requires_grad=True)
    field(feature, normal, direction).sum().backward()
    assert bool(normal.grad.isfinite().all())


def test_extra_inputs_reach_the_colour():
    field = ColourField(15, extra=8)
    feature, normal, direction = torch.randn(8, 15), _unit(8, 2), _unit(8, 3)
    assert not torch.equal(field(feature, normal, direction, torch.zeros(8, 8)), field(feature, normal, direction, torch.ones(8, 8)))
