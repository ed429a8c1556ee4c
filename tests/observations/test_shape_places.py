"""Places of a shape: derivatives are those of finite differences, the descent finds place, size and form again, the hand asks for room."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from hoifield.observations.place_template import known_mesh
from hoifield.observations.refine_silhouettes import gather_rays
from hoifield.observations.shape_places import HeldBy, PlaceEvidence, ShapePlace, _linearise, tabulate
from hoifield.observations.silhouette_rays import closest_approaches
from hoifield.observations.visual_hull import gather_evidence
from hoifield.shapes.shape_space import FamilyForm, family_forms
from tests.observations.turning_grasp import TurningGrasp, make_grasp


@pytest.fixture(scope="module")
def grasp() -> TurningGrasp:
    return make_grasp(count=6, size=128, shape=trimesh.creation.box((0.06, 0.05, 0.11)))


def evidence_of(grasp: TurningGrasp, hand: HeldBy | None = None) -> PlaceEvidence:
    """All frames of the grasp, with their true poses."""
    frames = np.arange(len(grasp.T_camera_object))
    silhouettes = gather_evidence(grasp.masks().labels, frames, np.ones(len(frames)), grasp.camera)
    return PlaceEvidence(silhouettes, gather_rays(silhouettes, 0), grasp.T_camera_object, hand, 1.0, 0.08)


def box_like(grasp: TurningGrasp) -> tuple[FamilyForm, ShapePlace]:
    """The family of boxes, and the place of a middling one whose sides run the right way, but are not the right lengths."""
    (space,) = family_forms("box")
    lower, upper = space.box(np.zeros(space.unknowns))
    turn = np.zeros((3, 3))
    turn[np.argsort(grasp.mesh.extent), np.argsort(upper - lower)] = 1.0
    T = np.eye(4)
    T[:3, :3] = turn * np.array([1.0, 1.0, np.linalg.det(turn)])
    return space, ShapePlace(T, 1.0, np.zeros(space.unknowns))


@pytest.mark.parametrize("name", ["mug", "ring", "kettle"])
def test_derivatives_are_those_of_finite_differences(name):
    space = family_forms(name)[0]
    generator = np.random.default_rng(0)
    place = ShapePlace(np.eye(4), 1.1, generator.normal(size=space.unknowns) * 0.3)
    points = generator.uniform(-0.06, 0.06, (200, 3))
    distance, J = _linearise(space, place, points)
    worst = []
    for unknown in range(7 + space.unknowns):
        step = np.zeros(7 + space.unknowns)
        step[unknown] = 1e-4 if unknown < 7 else 0.05
        after = place.stepped(step)
        still = np.linalg.inv(after.T_object_shape)
        moved = points @ still[:3, :3].T + still[:3, 3]
        change = after.size * space.distance(moved / after.size, after.coordinates) - distance
        # distances have kinks: most points must agree
        scale = np.abs(J[:, : 3 if unknown < 3 else unknown + 1]).max() if unknown < 7 else np.abs(J[:, unknown]).max()
        worst.append(float(np.median(np.abs(change / step[unknown] - J[:, unknown])) / scale))
    assert max(worst) < 0.03


def test_a_box_of_other_lengths_becomes_the_one_that_was_seen(grasp: TurningGrasp):
    space, start = box_like(grasp)
    evidence = evidence_of(grasp)
    found = evidence.descend(space, start, 10)
    lower, upper = space.box(found.coordinates)
    # the drawing grows by half a pixel, 1.3 mm, on each side; the middling box was 3.5 by 5.8 by 11.2 cm
    assert np.sort((upper - lower) * found.size) == pytest.approx(np.sort(grasp.mesh.extent), rel=0.1)
    assert found.doubt < 0.05 < evidence.judged(tabulate(space, start.coordinates), start).doubt


def test_a_given_solid_is_placed_and_sized(grasp: TurningGrasp):
    (space,) = known_mesh(grasp.mesh).spaces
    evidence, grid = evidence_of(grasp), tabulate(known_mesh(grasp.mesh).spaces[0], np.zeros(0))
    T = np.eye(4)
    T[:3, 3] = 0.004, -0.003, 0.002
    for found in (evidence.settle(grid, ShapePlace(T, 1.1, np.zeros(0))), evidence.descend(space, ShapePlace(T, 1.1, np.zeros(0)), 10)):
        assert found.doubt < 0.05 and np.linalg.norm(found.T_object_shape[:3, 3]) < 0.003
        assert found.size == pytest.approx(1.0, abs=0.06)


def test_a_hand_inside_the_shape_speaks_against_it(grasp: TurningGrasp):
    (space,) = known_mesh(grasp.mesh).spaces
    place, grid = ShapePlace(np.eye(4), 1.0, np.zeros(0)), tabulate(known_mesh(grasp.mesh).spaces[0], np.zeros(0))
    middle = grasp.T_camera_object[:, None, :3, 3]
    inside, beside = (HeldBy(np.repeat(middle + shift, 24, axis=1), np.arange(4)) for shift in (0.0, np.array([0.0, 0.3, 0.0])))
    free = evidence_of(grasp).judged(grid, place).doubt
    assert evidence_of(grasp, inside).judged(grid, place).doubt == pytest.approx(free + 1)
    assert evidence_of(grasp, beside).judged(grid, place).doubt == pytest.approx(free)
    unknown = replace(inside, vertices=np.full_like(inside.vertices, np.nan))
    assert evidence_of(grasp, unknown).judged(grid, place).doubt == pytest.approx(free)


def test_the_nearest_point_of_a_ray_lies_on_it_and_has_the_closest_approach(grasp: TurningGrasp):
    evidence = evidence_of(grasp)
    grid = tabulate(known_mesh(grasp.mesh).spaces[0], np.zeros(0))
    K = grasp.camera.K
    fixed = (grid.signed_distance, grid.lower, grid.spacing, np.ascontiguousarray(evidence.poses[:, :3, :3]), np.ascontiguousarray(evidence.poses[:, :3, 3]))
    rays = (tuple(float(K[at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2))), evidence.rays.pixels, evidence.rays.frame)
    approach, points = closest_approaches(*fixed, *rays)
    met = np.isfinite(points[:, 0])
    assert met.mean() > 0.5 and (approach[~met] > 1).all()
    assert grid.at(points[met]) == pytest.approx(approach[met], abs=1e-5)
    seen = np.einsum("nij,nj->ni", evidence.poses[evidence.rays.frame[met], :3, :3], points[met]) + evidence.poses[evidence.rays.frame[met], :3, 3]
    drawn = seen @ np.asarray(K).T
    assert drawn[:, :2] / drawn[:, 2:] == pytest.approx(evidence.rays.pixels[met], abs=1e-3)
