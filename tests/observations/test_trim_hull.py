"""Hulls lose what only hides behind the hand, and what the hand itself fills; what is seen, and what a grasp hides between seen parts, stays."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from hoifield.geometry.mesh import Mesh
from hoifield.observations.trim_hull import seen_vertices, trim_unseen
from hoifield.observations.visual_hull import CarveConfig, HullGrid, SilhouetteEvidence, carve_hull, gather_evidence
from tests.observations.turning_grasp import TurningGrasp, make_grasp

SPACING = 0.003


@pytest.fixture(scope="module")
def grasp() -> TurningGrasp:
    return make_grasp(count=24, size=160)


def evidence_of(grasp: TurningGrasp) -> SilhouetteEvidence:
    return gather_evidence(grasp.labels, np.arange(len(grasp.labels), dtype=np.int16), np.ones(len(grasp.labels)), grasp.camera)


def grid_of(*boxes: tuple[tuple[float, float, float], tuple[float, float, float]]) -> HullGrid:
    """Signed distances (to the nearest box) of centres and half sizes, metres."""
    lower = np.full(3, -0.15)
    nodes = np.indices((101, 101, 101)).reshape(3, -1).T * SPACING + lower
    distance = np.min([(np.abs(nodes - centre) - half).max(1) for centre, half in boxes], axis=0)
    return HullGrid(distance.reshape(101, 101, 101).astype(np.float32), lower, SPACING)


def test_distances_are_read_between_the_nodes_and_infinite_outside() -> None:
    grid = grid_of(((0.0, 0.0, 0.0), (0.03, 0.03, 0.03)))
    assert grid.at(np.array([[0.04, 0.0, 0.0], [0.0, 0.0, 0.0313]])) == pytest.approx([0.01, 0.0013], abs=1e-6)
    assert np.isinf(grid.at(np.array([[0.4, 0.0, 0.0]]))).all()


def test_a_flap_that_is_never_seen_goes_and_the_seen_box_stays(grasp: TurningGrasp) -> None:
    body = ((0.0, 0.0, 0.0), (0.035, 0.025, 0.045))
    alone = grid_of(body)
    flap = grid_of(body, ((0.0, 0.09, 0.0), (0.004, 0.07, 0.004)))
    evidence, poses = evidence_of(grasp), grasp.T_camera_object
    on_object = replace(evidence, labels=np.where(evidence.labels == 1, evidence.labels, 0).astype(np.uint8))
    trimmed = trim_unseen(flap, on_object, poses)
    assert flap.volume > 1.02 * alone.volume
    assert trimmed.volume == pytest.approx(alone.volume, rel=0.02)
    everything = replace(evidence, labels=np.ones_like(evidence.labels))
    assert trim_unseen(flap, everything, poses).volume == pytest.approx(flap.volume, rel=0.01), "seen, it would have stayed"


def test_what_lies_between_seen_parts_stays(grasp: TurningGrasp) -> None:
    rod = grid_of(((0.0, 0.0, 0.0), (0.01, 0.01, 0.1)))
    evidence, poses = evidence_of(grasp), grasp.T_camera_object
    labels = np.ones_like(evidence.labels)
    labels[:, 70:90] = 3
    assert trim_unseen(rod, replace(evidence, labels=labels), poses).volume > 0.98 * rod.volume


def test_a_hull_of_which_nothing_is_seen_is_left_alone(grasp: TurningGrasp) -> None:
    hull, evidence = grid_of(((0.0, 0.0, 0.0), (0.03, 0.03, 0.03))), evidence_of(grasp)
    assert trim_unseen(hull, replace(evidence, labels=np.full_like(evidence.labels, 3)), grasp.T_camera_object) is hull


def test_vertices_that_face_away_are_not_seen(grasp: TurningGrasp) -> None:
    ball = trimesh.creation.icosphere(3, 0.02)
    mesh, evidence = Mesh(np.asarray(ball.vertices), np.asarray(ball.faces)), evidence_of(grasp)
    poses = np.tile(np.eye(4), (len(evidence.labels), 1, 1))
    poses[:, 2, 3] = 0.5
    found = seen_vertices(mesh, replace(evidence, labels=np.ones_like(evidence.labels)), poses, 0.001)
    assert found[mesh.vertices[:, 2] < -0.014].all() and not found[mesh.vertices[:, 2] > 0.006].any()


def test_the_hull_does_not_fill_the_hand(grasp: TurningGrasp) -> None:
    evidence, poses = evidence_of(grasp), grasp.T_camera_object
    lower = np.full(3, -0.12)
    nodes = np.indices((81, 81, 81)).reshape(3, -1).T * SPACING + lower
    palm = (np.abs(nodes - [-0.01, -0.015, -0.05]) - [0.04, 0.045, 0.0125]).max(1).reshape(81, 81, 81)
    hand = HullGrid(palm.astype(np.float32), lower, SPACING)
    without, known = (carve_hull(replace(evidence, hand_volume=volume), poses, 0.11, CarveConfig()) for volume in (None, hand))
    assert without is not None and known is not None

    def inside_hand(hull: HullGrid) -> float:
        points = np.indices(hull.signed_distance.shape).reshape(3, -1).T * hull.spacing + hull.lower
        return float(((hull.signed_distance.ravel() < 0) & (hand.at(points) < -0.004)).sum()) * hull.spacing**3

    print(f"inside the palm {1e6 * inside_hand(without):.1f} -> {1e6 * inside_hand(known):.2f} cm3")
    assert inside_hand(without) > 1e-6
    assert inside_hand(known) < 0.02 * inside_hand(without)
