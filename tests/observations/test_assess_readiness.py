"""Verdicts with their reasons, and the folder that keeps them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hoifield.clip.clip import Clip
from hoifield.errors import RefusedInput
from hoifield.geometry.mesh import Mesh
from hoifield.observations.assess_readiness import assess_readiness
from hoifield.observations.frame_masks import FrameMasks
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.object_track import KnownShape, ObjectTrack
from hoifield.observations.observations import Observations
from hoifield.observations.observations_folder import load_observations, save_observations
from tests.observations.turning_grasp import TurningGrasp, make_grasp, noisy_track

COUNT = 12


@pytest.fixture(scope="module")
def grasp() -> TurningGrasp:
    return make_grasp(count=COUNT, size=96)


def clip_of(count: int) -> Clip:
    return Clip(Path("clip.mp4"), "video", "clip", "0" * 64, 96, 96, np.arange(count) / 30, None)


def track_of(grasp: TurningGrasp, iou: float = 0.9) -> ObjectTrack:
    count = len(grasp.labels)
    return ObjectTrack(grasp.T_camera_object, np.full(count, 0.8), ("hand",) * count, grasp.mesh, np.full(count, iou))


def verdict(grasp: TurningGrasp, masks: FrameMasks, track: ObjectTrack | None, hands: tuple[HandTrack, ...] | None = None, focal: str = "given"):  # type: ignore[no-untyped-def]
    hands = (noisy_track(grasp, 0.0, 0.0),) if hands is None else hands
    result = assess_readiness(clip_of(len(grasp.labels)), focal, np.ones(len(grasp.labels)), hands, masks, track)
    return result.verdict, {reason.code for reason in result.reasons}, result


def test_a_good_clip_is_fit(grasp: TurningGrasp) -> None:
    assert verdict(grasp, grasp.masks(), track_of(grasp))[:2] == ("fit", set())


def test_a_guessed_focal_length_is_said_but_degrades_nothing(grasp: TurningGrasp) -> None:
    assert verdict(grasp, grasp.masks(), track_of(grasp), focal="guess")[:2] == ("fit", {"HF-RDY-031"})


def test_a_bare_hand_is_refused_for_want_of_an_object() -> None:
    bare = make_grasp(count=COUNT, size=96, with_object=False)
    outcome, codes, result = verdict(bare, bare.masks(), None)
    assert outcome == "refuse"
    assert codes == {"HF-RDY-010"}
    assert result.reasons[0].frames == tuple(range(COUNT))


def test_background_taken_for_an_object_is_refused_unless_the_masks_were_given(grasp: TurningGrasp) -> None:
    flooded = replace(grasp.masks(), labels=np.where(grasp.labels == 0, 1, grasp.labels).astype(np.uint8))
    assert verdict(grasp, flooded, track_of(grasp))[0] == "refuse"
    assert "HF-RDY-010" not in verdict(grasp, replace(flooded, source=("carried",) * COUNT), track_of(grasp))[1]


def test_no_hand_is_refused(grasp: TurningGrasp) -> None:
    assert verdict(grasp, grasp.masks(), None, hands=())[0] == "refuse"
    assert "HF-RDY-001" in verdict(grasp, grasp.masks(), None, hands=())[1]


def test_a_template_that_looks_otherwise_degrades_and_a_right_one_makes_up_for_sides_that_were_not_seen(grasp: TurningGrasp) -> None:
    still = replace(track_of(grasp), T_camera_object=np.tile(grasp.T_camera_object[:1], (COUNT, 1, 1)))
    assert verdict(grasp, grasp.masks(), still)[:2] == ("degraded", {"HF-RDY-022"})
    right, wrong = (replace(still, known_shape=KnownShape(1.0, np.zeros(3), likeness)) for likeness in (0.99, 0.85))
    assert verdict(grasp, grasp.masks(), right)[:2] == ("fit", set())
    assert verdict(grasp, grasp.masks(), wrong)[:2] == ("degraded", {"HF-RDY-024"})
    by_word = replace(still, known_shape=KnownShape(1.0, np.zeros(3), 0.99, "mug"))
    outcome, codes, result = verdict(grasp, grasp.masks(), by_word)
    assert (outcome, codes) == ("degraded", {"HF-RDY-022"}) and "a usual mug" in result.reasons[0].message


def test_a_hand_hidden_for_long_degrades_unless_the_object_carries_it(grasp: TurningGrasp) -> None:
    hand = noisy_track(grasp, 0.0, 0.0)
    hidden = np.arange(COUNT) < 4
    carried = replace(hand, observed=~hidden)
    T = hand.T_camera_hand.copy()
    T[hidden] = np.nan
    outcome, codes, result = verdict(grasp, grasp.masks(), track_of(grasp), hands=(replace(carried, T_camera_hand=T),))
    assert (outcome, codes, result.reasons[0].frames) == ("degraded", {"HF-RDY-002"}, tuple(np.flatnonzero(hidden)))
    assert verdict(grasp, grasp.masks(), track_of(grasp), hands=(carried,))[:2] == ("fit", set())


def test_two_hands_degrade_with_the_frames_named(grasp: TurningGrasp) -> None:
    hand = noisy_track(grasp, 0.0, 0.0)
    other = replace(hand, side="right", observed=np.arange(COUNT) >= 4)
    outcome, codes, result = verdict(grasp, grasp.masks(), track_of(grasp), hands=(hand, other))
    assert (outcome, codes) == ("degraded", {"HF-RDY-004"})
    assert result.reasons[0].frames == tuple(range(4, COUNT))


@pytest.mark.parametrize(("iou", "expected"), [(0.9, "fit"), (0.6, "degraded"), (0.3, "refuse")])
def test_an_object_that_does_not_move_with_the_hand_is_told_by_its_silhouettes(grasp: TurningGrasp, iou: float, expected: str) -> None:
    assert verdict(grasp, grasp.masks(), track_of(grasp, iou))[0] == expected


def test_an_object_that_never_turns_is_degraded(grasp: TurningGrasp) -> None:
    still = replace(track_of(grasp), T_camera_object=np.repeat(grasp.T_camera_object[:1], COUNT, axis=0))
    assert verdict(grasp, grasp.masks(), still)[:2] == ("degraded", {"HF-RDY-022"})


def observations_of(grasp: TurningGrasp, track: ObjectTrack | None) -> Observations:
    masks = grasp.masks()
    readiness = verdict(grasp, masks, track)[2]
    hands = (noisy_track(grasp, 2.0, 3.0),)
    return Observations(grasp.camera, "given", np.array([1, 4, 7]), np.linspace(0, 1, COUNT), hands, masks, track, readiness)


@pytest.mark.parametrize("with_track", [True, False])
def test_observations_come_back_exactly(grasp: TurningGrasp, tmp_path: Path, with_track: bool) -> None:
    poses = grasp.T_camera_object.copy()
    poses[3] = np.nan
    coloured = Mesh(grasp.mesh.vertices, grasp.mesh.faces, np.random.default_rng(0).random((len(grasp.mesh.vertices), 3)))
    known = KnownShape(0.01, np.array([30.0, -10.0, 20.0]), 0.97, "ring")
    track = replace(track_of(grasp), T_camera_object=poses, hull=coloured, known_shape=known) if with_track else None
    before = observations_of(grasp, track)
    save_observations(before, tmp_path / "observed")
    after = load_observations(tmp_path / "observed")
    assert np.array_equal(after.camera.K, before.camera.K) and after.camera.width == before.camera.width
    assert np.array_equal(after.masks.labels, before.masks.labels) and after.masks.source == before.masks.source
    assert np.array_equal(after.hands[0].T_camera_hand, before.hands[0].T_camera_hand) and after.hands[0].side == "left"
    assert after.readiness == before.readiness
    assert np.array_equal(after.fit_frames, before.fit_frames)
    if with_track:
        assert after.object_track is not None
        assert np.array_equal(after.object_track.T_camera_object, poses, equal_nan=True)
        assert np.array_equal(after.object_track.hull.colours, coloured.colours)
        assert after.object_track.source == track_of(grasp).source
        shape = after.object_track.known_shape
        assert shape is not None and (shape.size, shape.middle.tolist(), shape.likeness, shape.word) == (0.01, [30.0, -10.0, 20.0], 0.97, "ring")
    else:
        assert after.object_track is None
    assert len(list((tmp_path / "observed" / "masks").glob("*.png"))) == COUNT


def test_a_damaged_folder_is_refused_with_its_code(grasp: TurningGrasp, tmp_path: Path) -> None:
    save_observations(observations_of(grasp, None), tmp_path)
    (tmp_path / "arrays.npz").write_bytes(b"torn")
    with pytest.raises(RefusedInput) as caught:
        load_observations(tmp_path)
    assert caught.value.code == "HF-OBS-901"
