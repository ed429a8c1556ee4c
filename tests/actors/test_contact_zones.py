"""Contact zones lie where a hand touches what it holds."""

import torch

from hoifield.actors.contact_zones import contact_zones
from hoifield.actors.skinned_model import FINGERS, SkinnedModel


def test_zones_are_pads_and_palm_without_overlap(right_hand: SkinnedModel) -> None:
    zones = contact_zones(right_hand)
    assert set(zones) == {*FINGERS, "palm"}
    members = torch.cat(list(zones.values()))
    assert len(members.unique()) == len(members)
    assert all(len(zone) >= 10 and zone.dtype == torch.int64 for zone in zones.values())


def test_finger_pads_are_below_the_finger_axis_and_the_palm_is_between_wrist_and_knuckles(right_hand: SkinnedModel) -> None:
    zones = contact_zones(right_hand)
    for finger, joint in (("index", 3), ("middle", 6), ("ring", 12), ("little", 9)):
        pad = right_hand.template[zones[finger]]
        assert pad[:, 1].mean() < right_hand.joint_template[joint, 1] - 0.002
        assert pad[:, 0].max() < right_hand.joint_template[joint - 1, 0]
    palm = right_hand.template[zones["palm"]]
    assert palm[:, 0].max() < -0.01 and palm[:, 0].min() > right_hand.joint_template[5, 0]


def test_both_hands_have_the_same_zones(right_hand: SkinnedModel, left_hand: SkinnedModel) -> None:
    right, left = contact_zones(right_hand), contact_zones(left_hand)
    assert all(torch.equal(right[name], left[name]) for name in right)
