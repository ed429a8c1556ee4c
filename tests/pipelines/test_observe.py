"""What identifies a run (the content of what the user gave, not its name), which way the masks are made, and what is not looked for."""

import zipfile
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from tiny_scene import FRAMES, ball_on_hand, measured_observations

from hoifield.clip.open_clip import open_clip
from hoifield.geometry.cameras import Camera
from hoifield.observations.assess_readiness import assess_readiness, refuses_already
from hoifield.observations.observations_folder import load_observations, save_observations
from hoifield.observations.sensor_depth import SensorDepth
from hoifield.observations.track_hands import TrackedHands
from hoifield.pipelines import observe
from hoifield.pipelines.observe import ObserveConfig, digest_folder, observe_clip


def masks(folder: Path, content: bytes) -> Path:
    folder.mkdir()
    (folder / "000000.png").write_bytes(content)
    return folder


def test_masks_are_known_by_content_wherever_they_lie(tmp_path: Path):
    first, same, other = masks(tmp_path / "a", b"one"), masks(tmp_path / "b", b"one"), masks(tmp_path / "c", b"two")
    assert digest_folder(first) == digest_folder(same) != digest_folder(other)
    assert ObserveConfig(masks=first).identity() == ObserveConfig(masks=same).identity() != ObserveConfig(masks=other).identity()
    (same / "000000.png").rename(same / "000001.png")
    assert digest_folder(first) != digest_folder(same)


def test_a_camera_file_is_known_by_content_and_numbers_by_themselves(tmp_path: Path):
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text("[1]")
    first, second = (ObserveConfig(intrinsics=str(tmp_path / name)).identity() for name in ("a.json", "b.json"))
    assert first == second
    assert ObserveConfig(intrinsics="500,500,320,240").identity()["intrinsics"] == "500,500,320,240"


def test_every_choice_changes_the_identity():
    plain = ObserveConfig().identity()
    for changed in (ObserveConfig(hand="left"), ObserveConfig(actor="mano"), ObserveConfig(object_point=(1.0, 2.0, 0)), ObserveConfig(seed=1)):
        assert changed.identity() != plain


def test_a_folder_that_is_not_there_is_like_an_empty_one(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    assert digest_folder(tmp_path / "absent") == digest_folder(tmp_path / "empty")


def sam2_weights(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "sam2.1_hiera_small.pt", "w") as archive:
        archive.writestr("sam2.1_hiera_s", "")
    return folder / "sam2.1_hiera_small.pt"


def test_weights_of_sam2_are_part_of_the_identity_by_content(tmp_path: Path):
    weights = sam2_weights(tmp_path)
    first = ObserveConfig(sam2_weights=weights).identity()
    assert first == ObserveConfig(sam2_weights=weights.rename(tmp_path / "renamed.pt")).identity() != ObserveConfig().identity()


def test_named_weights_of_sam2_make_the_masks(tmp_path: Path, sam2_stand_in: ModuleType):
    generator = np.random.default_rng(0)
    (tmp_path / "clip").mkdir()
    for frame in range(12):
        cv2.imwrite(str(tmp_path / "clip" / f"{frame:03d}.png"), generator.integers(0, 256, (120, 160, 3), dtype=np.uint8))
    config = ObserveConfig(object_point=(80.0, 60.0, 4), sam2_weights=sam2_weights(tmp_path))
    found = observe_clip(open_clip(tmp_path / "clip"), config, 12, lambda line: None)
    assert len(sam2_stand_in.built) == 1
    assert set(found.masks.source) == {"carried"} and (found.masks.labels[:, 60, 80] == 1).all() and (found.masks.labels == 1).mean() < 0.05
    assert found.readiness.verdict == "refuse", "no hand"


@pytest.mark.parametrize(("frames_with_object", "looked_for"), [(FRAMES, True), (2, False)])
def test_the_object_is_looked_for_only_where_hand_and_masks_do_not_refuse_already(
    frames_with_object: int, looked_for: bool, monkeypatch: pytest.MonkeyPatch
):
    grasp = ball_on_hand()
    hands, masks = grasp.observations.hands, grasp.observations.masks
    few = replace(masks, labels=np.where((masks.labels == 1) & (np.arange(FRAMES) >= frames_with_object)[:, None, None], 0, masks.labels))
    asked, told = [], []
    monkeypatch.setattr(observe, "track_hands", lambda *given: TrackedHands(hands, (), ()))
    monkeypatch.setattr(observe, "find_masks", lambda *given: few)
    monkeypatch.setattr(observe, "track_object", lambda *given: asked.append(given))
    found = observe_clip(grasp.clip, ObserveConfig(), 12, told.append)
    assert found.object_track is None and found.readiness.verdict == "refuse"
    assert bool(asked) == looked_for and any("not looked for" in line for line in told) != looked_for
    assert found.readiness.reasons[0].code == ("HF-RDY-020" if looked_for else "HF-RDY-010")


def test_given_depth_places_the_hands_is_kept_and_is_part_of_the_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    grasp, measured, asked = ball_on_hand(), measured_observations(), []
    for frame, picture in enumerate(measured.depth.millimetres):
        cv2.imwrite(str(tmp_path / f"{frame:06d}.png"), picture)
    config = ObserveConfig(depth=tmp_path)
    before = config.identity()
    nearer = replace(measured.hands[0], presence=0.5 * measured.hands[0].presence)

    def placed(tracked: TrackedHands, depth: SensorDepth, masks: object, camera: Camera, *given: object):  # type: ignore[no-untyped-def]
        asked.append(depth)
        return replace(tracked, hands=(nearer,)), replace(camera, K=1.1 * camera.K), "depth"

    monkeypatch.setattr(observe, "track_hands", lambda *given: TrackedHands(measured.hands, (), ()))
    monkeypatch.setattr(observe, "find_masks", lambda *given: measured.masks)
    monkeypatch.setattr(observe, "track_object", lambda *given: asked.append(given[-1]))
    monkeypatch.setattr(observe, "place_hands_by_depth", placed)
    found = observe_clip(grasp.clip, config, 12, lambda line: None)
    assert found.focal_source == "depth" and found.hands == (nearer,) and found.depth is asked[0] is asked[1]
    assert np.array_equal(found.depth.millimetres, measured.depth.millimetres)
    save_observations(found, tmp_path / "saved")
    again = load_observations(tmp_path / "saved")
    assert np.array_equal(again.depth.millimetres, measured.depth.millimetres) and again.focal_source == "depth"
    cv2.imwrite(str(tmp_path / "000000.png"), measured.depth.millimetres[1])
    assert ObserveConfig().identity() != before != config.identity()


def test_what_refuses_early_refuses_at_the_end_with_the_same_reasons():
    grasp = ball_on_hand()
    hands, masks, track = grasp.observations.hands, grasp.observations.masks, grasp.observations.object_track
    seldom = (replace(hands[0], observed=np.arange(FRAMES) < 2),)
    for given, refused in ((hands, False), ((), True), (seldom, True)):
        assert refuses_already(given, masks) == refused
        early, late = (assess_readiness(grasp.clip, "given", np.ones(FRAMES), given, masks, looked, ()) for looked in (None, track))
        assert (late.verdict == "refuse") == refused
        assert not refused or early == late


@pytest.mark.parametrize(
    ("steady", "otherwise", "asked_for", "kept"),
    [(0.76, 0.9, [True], "steady"), (0.70, 0.76, [True, False], "otherwise"), (0.70, 0.74, [True, False], "steady"), (None, 0.5, [True], "otherwise")],
)
def test_the_other_way_to_hold_is_walked_where_a_steady_grasp_is_not_borne_out(
    steady: float | None, otherwise: float, asked_for: list[bool], kept: str, monkeypatch: pytest.MonkeyPatch
):
    grasp = ball_on_hand()
    observations, asked = grasp.observations, []
    hand, track = observations.hands[0], observations.object_track
    rigid = replace(hand, presence=0.5 * hand.presence)

    def look(*given: object):
        asked.append(given[-2])
        return track, rigid if given[-2] and steady is not None else hand

    monkeypatch.setattr(observe, "track_object", look)
    monkeypatch.setattr(observe, "_tie_to_hand", lambda track, hand, *given: (track, hand))
    monkeypatch.setattr(observe, "drawn_agreement", lambda track, hand, *given: steady if hand is rigid else otherwise)
    monkeypatch.setattr(observe, "load_actor", lambda *given: grasp.model)
    hands, found = observe._follow_object(grasp.clip, observations.camera, observations.hands, observations.masks, None, ObserveConfig(), lambda line: None)
    assert asked == asked_for and found is track
    assert hands[0] is (rigid if kept == "steady" else hand)
