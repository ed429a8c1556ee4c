"""Handles are taken by the handle, rims by the rim: the palm is where the grip says, and nothing passes through anything."""

import numpy as np
import pytest
import torch

from hoifield.actors.choose_actor import load_actor
from hoifield.actors.pose_limits import limit_excess
from hoifield.actors.skinned_model import Side
from hoifield.errors import InternalError
from hoifield.shapes.object_family import Grip
from hoifield.synthetic.grasp import GraspSearch
from hoifield.synthetic.grasp_check import Grasp, grasp_holds
from hoifield.synthetic.grip_placement import hand_on_grip
from hoifield.synthetic.object_shapes import HeldObject, make_held_object

MIRROR = np.diag([-1.0, 1.0, 1.0])
COARSE = 0.003


def taken(held: HeldObject, side: Side, kind: str, seed: int = 0) -> tuple[Grasp, np.ndarray, GraspSearch]:
    """A grasp by one kind of grip, and the skin in the object frame."""
    grips = tuple(grip for grip in held.grips if grip.kind == kind)
    search = GraspSearch(load_actor("anny", side), held.mesh, torch.zeros(10), seed, grips)
    grasp = search.find()
    posed = search.actor.pose(torch.zeros(10), torch.from_numpy(grasp.pose)[None].float(), torch.eye(4)[None]).vertices[0].double().numpy()
    T = np.linalg.inv(grasp.T_hand_object)
    return grasp, posed @ T[:3, :3].T + T[:3, 3], search


@pytest.mark.parametrize(("name", "side"), [("tool", "right"), ("knife", "left")])
def test_a_handle_lies_in_the_hand_and_the_rest_of_the_object_sticks_out_beside_the_thumb(name: str, side: Side) -> None:
    held = make_held_object(name, 0, COARSE)
    grasp, skin, search = taken(held, side, "handle")
    grip = held.grips[0]
    offset = skin - grip.point
    along = offset @ grip.axis
    across = np.linalg.norm(offset - along[:, None] * grip.axis, axis=1)
    parts = search.parts
    assert grasp_holds(grasp) and {"thumb", "index", "middle"} <= set(grasp.touching)
    assert across[parts.palm.numpy()].min() < 0.02, "the palm lies on the handle"
    for finger in ("index", "middle", "ring"):
        pad = parts.pad[finger].numpy()
        assert across[pad].min() < 0.025 and abs(along[pad].mean()) < 0.06
    directions = (offset - along[:, None] * grip.axis)[across < 0.03]
    angles = np.sort(np.arctan2(directions @ np.cross(grip.axis, grip.outward), directions @ grip.outward))
    assert np.diff([*angles, angles[0] + 2 * np.pi]).max() < np.radians(140), "palm, fingers and thumb go around it"
    thumb_side = skin[parts.finger["index"].numpy()].mean(0) - skin[parts.finger["little"].numpy()].mean(0)
    assert thumb_side @ grip.axis > 0.02
    assert held.mesh.vertices[:, 2].max() > (skin @ grip.axis).max(), "blade or head is beyond the thumb"
    excess = limit_excess(search.actor, torch.from_numpy(grasp.pose)[None].float())
    assert float(excess.abs().max()) < 1e-3


def test_a_bowl_is_taken_with_the_thumb_at_its_rim_and_the_fingers_below() -> None:
    held = make_held_object("bowl", 3, COARSE)
    grasp, skin, search = taken(held, "right", "edge")
    assert grasp_holds(grasp)
    rim, bottom = held.mesh.vertices[:, 2].max(), held.mesh.vertices[:, 2].min()
    height = {}
    for name in ("thumb", "index", "middle"):
        pad = skin[search.parts.pad[name].numpy()]
        height[name] = pad[search.measure.surface.closest(pad).signed_distance.argmin(), 2]
    assert height["thumb"] > rim - 0.010
    assert max(height["index"], height["middle"]) < (rim + bottom) / 2


def test_a_left_hand_is_put_where_the_mirror_image_of_a_right_hand_is() -> None:
    generator = np.random.default_rng(0)
    for kind, axis_sign in (("handle", 1.0), ("body", 1.0), ("edge", -1.0)):
        axis, outward = np.linalg.qr(generator.normal(size=(3, 2)))[0].T
        grip = Grip(generator.normal(size=3), axis, outward, kind)
        mirrored = Grip(MIRROR @ grip.point, axis_sign * (MIRROR @ grip.axis), MIRROR @ grip.outward, kind)
        right = hand_on_grip(grip, 1.0, np.random.default_rng(5))
        left = hand_on_grip(mirrored, -1.0, np.random.default_rng(5))
        np.testing.assert_allclose(left[:3, :3], MIRROR @ right[:3, :3] @ MIRROR, atol=1e-12)
        np.testing.assert_allclose(left[:3, 3], MIRROR @ right[:3, 3], atol=1e-12)
        assert (right[:3, :3] @ grip.outward)[1] > 0.9, "the palm is on the outward side"


def test_the_same_search_gives_the_same_grasp_and_says_what_was_best_where_none_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hoifield.synthetic.grasp.GRIP_ROUNDS", 1)
    monkeypatch.setattr("hoifield.synthetic.grip_search.REFINED", 1)
    held = make_held_object("tool", 3, COARSE)
    (first, _, search), (second, _, _) = (taken(held, "right", "handle") for _ in range(2))
    np.testing.assert_array_equal(first.pose, second.pose)
    np.testing.assert_array_equal(first.T_hand_object, second.T_hand_object)
    with pytest.raises(InternalError, match="HF-SYN-002.*none of 1 grasps holds: in the best one 5 fingers touch"):
        search.find(lambda grasp: False)


def test_an_object_without_grips_is_held_about_its_middle_where_fingertips_find_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    held = make_held_object("can", 3, COARSE)
    assert held.grips == ()
    monkeypatch.setattr(GraspSearch, "_by_body", lambda search: iter(()))
    grasp = GraspSearch(load_actor("anny", "right"), held.mesh, torch.zeros(10), 0).find()
    assert grasp_holds(grasp)
