"""What passes for a grasp: contacts that close, and neither hand in object nor object in hand or forearm."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from hoifield.actors.choose_actor import load_actor
from hoifield.geometry.mesh import Mesh
from hoifield.synthetic.grasp_check import DISTURBANCE, LARGEST_RESIDUAL, Grasp, GraspMeasure, closure_residual, grasp_holds, grasp_is_likely
from hoifield.synthetic.grip_shape import HandBones

GOOD = Grasp(np.zeros((16, 3)), np.eye(4), ("thumb", "index", "middle"), 0.001, False, 0.001, 0.0)
NOWHERE = np.array([0.0, -0.5, 0.0])


def measured(vertices: np.ndarray, faces: np.ndarray, place: np.ndarray) -> Grasp:
    T_object_hand = torch.eye(4)
    T_object_hand[:3, 3] = torch.from_numpy(-place).float()
    measure = GraspMeasure.of(load_actor("anny", "right"), Mesh(np.asarray(vertices), np.asarray(faces)), torch.zeros(10))
    return measure.measured(torch.zeros(16, 3), T_object_hand)


def dense_box(extents: tuple[float, float, float], edge: float) -> tuple[np.ndarray, np.ndarray]:
    shape = trimesh.creation.box(extents=extents)
    return trimesh.remesh.subdivide_to_size(shape.vertices, shape.faces, edge)


def test_contacts_around_an_object_close_and_contacts_on_one_side_do_not() -> None:
    around = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    assert closure_residual(0.03 * around, around) < 1e-6
    three = np.array([[np.cos(a), np.sin(a), 0.0] for a in np.arange(3) * 2 * np.pi / 3])
    assert closure_residual(0.03 * three, three) < LARGEST_RESIDUAL, "three fingers close with friction"
    side = np.random.default_rng(0).uniform(-0.03, 0.03, size=(30, 3)) * [1, 1, 0]
    assert closure_residual(side, np.tile([0.0, 0.0, 1.0], (30, 1))) > 0.9
    assert closure_residual(np.zeros((0, 3)), np.zeros((0, 3))) == 1.0


def test_a_pinch_between_two_points_turns_about_their_line() -> None:
    pinch = np.array([[0.02, 0, 0], [-0.02, 0, 0]])
    assert closure_residual(pinch, pinch / 0.02) == pytest.approx(DISTURBANCE, rel=0.01)
    broad = np.concatenate([pinch + [0, y, z] for y, z in ((-0.006, 0), (0.006, 0.004), (0, -0.006))])
    assert closure_residual(broad, np.sign(broad) * [1.0, 0, 0]) < LARGEST_RESIDUAL


@pytest.mark.parametrize(
    "spoilt",
    [{"touching": ("thumb", "index")}, {"touching": ("index", "middle", "ring")}, {"deepest": 0.003}, {"crossing": 0.003}, {"closure": 0.05}],
)
def test_each_rule_alone_can_spoil_a_grasp(spoilt: dict) -> None:
    assert grasp_holds(GOOD) and grasp_holds(replace(GOOD, touching=("index", "middle", "ring"), palm_touches=True))
    assert not grasp_holds(replace(GOOD, **spoilt))


def test_a_likely_grasp_may_slip_but_touches_and_does_not_cross() -> None:
    assert grasp_is_likely(GOOD) and grasp_is_likely(replace(GOOD, closure=1.0, touching=("thumb", "index"), deepest=0.004))
    assert not grasp_is_likely(replace(GOOD, touching=("thumb",))) and not grasp_is_likely(replace(GOOD, crossing=0.006))


def test_a_block_pressed_into_the_hand_is_as_deep_as_it_is_pressed() -> None:
    vertices, faces = dense_box((0.4, 0.1, 0.4), 0.01)
    lowest = load_actor("anny", "right").template[:, 1].min().item()
    for depth in (-0.003, 0.001, 0.004):
        grasp = measured(vertices, faces, np.array([0.0, lowest - 0.05 + depth, 0.0]))
        assert grasp.deepest == pytest.approx(max(depth, 0.0), abs=1e-5)
        assert ("thumb" in grasp.touching) == (depth > -0.002) and not grasp_holds(grasp)


def test_a_thin_sheet_through_fingers_or_forearm_is_seen() -> None:
    vertices, faces = dense_box((0.001, 0.08, 0.10), 0.002)
    through_fingers = measured(vertices, faces, np.array([-0.150, 0.0, 0.0]))
    assert through_fingers.deepest < 0.001 and through_fingers.crossing > 0.004
    through_arm = measured(vertices, faces, np.array([0.15, 0.0, 0.0]))
    assert through_arm.deepest == 0 and through_arm.crossing > 0.01
    assert measured(vertices, faces, NOWHERE).crossing == 0


def test_a_flat_hand_does_not_overlap_itself_and_a_crossed_finger_does() -> None:
    actor = load_actor("anny", "right")
    measure = GraspMeasure.of(actor, Mesh(*map(np.asarray, dense_box((0.02, 0.02, 0.02), 0.01))), torch.zeros(10))
    bones = HandBones.of(actor, torch.zeros(10), measure.parts)
    angles = torch.zeros(3, 16, 3)
    angles[1, 1, 1], angles[1, 4, 1] = -0.3, 0.3
    angles[2, [4, 5, 6], 0] = torch.tensor([1.5, 1.9, 1.3])
    posed = actor.pose(torch.zeros(10), torch.einsum("jab,fjb->fja", actor.joint_axes, angles), torch.eye(4).expand(3, 4, 4))
    deepest = bones.overlap(actor, posed).amax((1, 2))
    assert float(deepest[0]) == 0 and float(deepest[1]) > 0.003, "index into middle finger"
    assert float(deepest[2]) > 0.002, "fingertip into the palm"
