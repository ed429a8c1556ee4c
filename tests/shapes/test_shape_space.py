"""Spaces of shapes: a family's draws lie in theirs, nothing leaves the range of the draws, and a given solid is one point."""

from dataclasses import fields

import numpy as np
import pytest

from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.observations.place_template import known_mesh
from hoifield.shapes.draw_family import SHAPE_NAMES, ShapeName, draw_family, find_shape_name
from hoifield.shapes.shape_space import FURTHEST, FamilyForm, family_forms
from hoifield.synthetic.object_shapes import make_object


def form_of(name: ShapeName, instance: int) -> FamilyForm:
    """The form that the instance belongs to."""
    solid = draw_family(name, instance)

    def kind(one: object) -> list[object]:
        return [type(one), *(getattr(one, field.name) for field in fields(one) if isinstance(getattr(one, field.name), (str, bool)))]  # type: ignore[arg-type]

    return next(form for form in family_forms(name) if kind(form.example) == kind(solid))


@pytest.mark.parametrize("name", SHAPE_NAMES)
def test_an_instance_that_was_not_among_the_draws_lies_in_the_space(name: ShapeName):
    solid = draw_family(name, 2003)
    form = form_of(name, 2003)
    lengths = np.array([getattr(solid, length) for length in form.lengths])
    coordinates = np.linalg.pinv(form.basis) @ (lengths - form.mean)
    found = form.solid(coordinates)
    assert [getattr(found, length) for length in form.lengths] == pytest.approx(lengths, rel=0.02, abs=2e-4)
    assert np.abs(coordinates).max() < 4


@pytest.mark.parametrize("name", SHAPE_NAMES)
def test_lengths_stay_in_the_range_of_the_draws_and_the_box_holds_the_solid(name: ShapeName):
    generator = np.random.default_rng(0)
    for form in family_forms(name)[:2]:
        for _ in range(3):
            coordinates = generator.uniform(-FURTHEST, FURTHEST, form.unknowns)
            solid = form.solid(coordinates)
            lengths = np.array([getattr(solid, length) for length in form.lengths])
            assert (lengths >= form.least - 1e-12).all() and (lengths <= form.most + 1e-12).all()
            lower, upper = form.box(coordinates)
            outside = generator.uniform(lower - 0.05, upper + 0.05, (400, 3))
            outside = outside[((outside < lower - 1e-6) | (outside > upper + 1e-6)).any(1)]
            assert (form.distance(outside, coordinates) > 0).all()


def test_families_have_their_forms():
    assert [len(family_forms(name)) for name in ("mug", "ring", "bottle")] == [3, 1, 1]
    assert len({form.example.handle for form in family_forms("mug")}) == 3  # type: ignore[attr-defined]


def test_a_given_mesh_is_one_solid_with_the_distances_of_the_mesh():
    mesh = make_object("mug", 0.003)
    (space,) = known_mesh(mesh).spaces
    assert space.unknowns == 0
    points = np.random.default_rng(1).uniform(-0.05, 0.05, (500, 3))
    exact = MeshDistance(mesh.vertices, mesh.faces).closest(points).signed_distance
    middle = known_mesh(mesh).middle
    assert middle is not None
    assert space.distance((points - middle).reshape(10, 50, 3), np.zeros(0)) == pytest.approx(exact.reshape(10, 50), abs=1e-9)
    assert space.box(np.zeros(0))[0] == pytest.approx(-space.box(np.zeros(0))[1], abs=1e-12)


@pytest.mark.parametrize(("word", "name"), [("Mug", "mug"), ("cup", "mug"), ("tape", "ring"), ("toy car", "toy-car"), ("umbrella", None), ("", None)])
def test_words_of_users(word: str, name: str | None):
    assert find_shape_name(word) == name
