"""Following hands over a clip: scripted pictures for the logic, real clips for the sides."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hoifield.clip.open_clip import open_clip
from hoifield.errors import MissingDependency
from hoifield.observations.landmark_networks import LandmarkNetworks, Landmarks, Palm
from hoifield.observations.rotated_boxes import RotatedBox, box_from_landmarks
from hoifield.observations.track_keypoints import KeypointTrack, side_vote, track_keypoints

FLAT = np.array([(0.0, 0.0)] + [(x, -0.3 - 0.2 * k) for x in (-0.5, -0.3, 0.0, 0.3, 0.5) for k in range(4)]) * 60
CURLED = np.column_stack([FLAT / 600, [0.0, *np.tile([0.0, 0.01, 0.03, 0.04], 5)]])
"""World keypoints of a right hand seen from its back."""


@dataclass(frozen=True)
class ScriptedHand:
    """A hand at one place per frame: x pixels, or NaN where nothing shows it."""

    x: np.ndarray
    palm_frames: frozenset[int]
    right: bool = True


@dataclass
class ScriptedClip:
    """Pictures that carry their frame number; counts how many are read."""

    hands: tuple[ScriptedHand, ...]
    frame_count: int
    width: int = 640
    height: int = 480
    read: int = 0

    def read_frames(self, frames: Sequence[int] | None = None, size: tuple[int, int] | None = None) -> Iterator[tuple[int, np.ndarray]]:
        for frame in range(self.frame_count) if frames is None else frames:
            self.read += 1
            picture = np.zeros((self.height, self.width, 3), np.uint8)
            picture[0, 0, :2] = divmod(frame, 256)
            yield frame, picture


class ScriptedNetworks:
    """Sees a scripted hand where a box lies near it; its palm only in the scripted frames."""

    def __init__(self, hands: tuple[ScriptedHand, ...]) -> None:
        self.hands = hands

    def find_palms(self, picture: np.ndarray) -> list[Palm]:
        frame = int(picture[0, 0, 0]) * 256 + int(picture[0, 0, 1])
        palms = []
        for hand in self.hands:
            if frame in hand.palm_frames and np.isfinite(hand.x[frame]):
                keypoints = FLAT + (hand.x[frame], 300.0)
                palms.append(Palm(0.9, keypoints[[0, 5, 9, 13, 17, 1, 2]], box_from_landmarks(keypoints)))
        return palms

    def find_landmarks(self, picture: np.ndarray, box: RotatedBox) -> Landmarks:
        frame = int(picture[0, 0, 0]) * 256 + int(picture[0, 0, 1])
        seen = [hand for hand in self.hands if np.isfinite(hand.x[frame])]
        centres = [box_from_landmarks(FLAT + (hand.x[frame], 300.0)).x for hand in seen]
        near = [(abs(x - box.x), hand) for x, hand in zip(centres, seen) if abs(x - box.x) < 40]
        if not near:
            return Landmarks(FLAT + (box.x, box.y), CURLED, 0.1, 0.5)
        hand = min(near, key=lambda item: item[0])[1]
        mirror = np.array([1.0 if hand.right else -1.0, 1.0, 1.0])
        return Landmarks(FLAT + (hand.x[frame], 300.0), CURLED * mirror, 0.9, 0.95 if hand.right else 0.05)


def track(hands: tuple[ScriptedHand, ...], frame_count: int) -> tuple[tuple[KeypointTrack, ...], ScriptedClip]:
    clip = ScriptedClip(hands, frame_count)
    return track_keypoints(clip, ScriptedNetworks(hands)), clip


def test_a_hand_whose_palm_shows_late_is_followed_back_to_the_start() -> None:
    hand = ScriptedHand(np.linspace(100, 500, 100), frozenset({80}))
    tracks, clip = track((hand,), 100)
    assert len(tracks) == 1
    assert tracks[0].observed.all()
    assert clip.read < 100 + 81


def test_an_occluded_stretch_is_filled_from_both_sides_and_the_rest_stays_empty() -> None:
    x = np.linspace(100, 500, 100)
    x[45:60] = np.nan
    tracks, _ = track((ScriptedHand(x, frozenset({0, 70})),), 100)
    assert np.array_equal(tracks[0].observed, np.isfinite(x))
    assert np.isnan(tracks[0].keypoints[45:60]).all()
    assert np.isnan(tracks[0].world[45:60]).all()
    assert (tracks[0].presence[45:60] == 0).all()
    assert np.allclose(tracks[0].keypoints[:45, 0, 0], x[:45])


def test_two_hands_keep_apart_and_each_has_its_side() -> None:
    hands = (ScriptedHand(np.full(60, 150.0), frozenset(range(60))), ScriptedHand(np.full(60, 450.0), frozenset(range(60)), right=False))
    tracks, _ = track(hands, 60)
    assert {t.side: round(float(np.nanmean(t.keypoints[:, 0, 0]))) for t in tracks} == {"right": 150, "left": 450}
    assert all(t.observed.all() for t in tracks)


def test_a_lost_hand_that_comes_back_elsewhere_is_one_hand_not_two() -> None:
    x = np.full(80, 150.0)
    x[30:50] = np.nan
    x[50:] = 260.0
    tracks, _ = track((ScriptedHand(x, frozenset(range(80))),), 80)
    assert len(tracks) == 1
    assert np.array_equal(tracks[0].observed, np.isfinite(x))


def test_a_single_flash_is_no_hand() -> None:
    x = np.full(200, np.nan)
    x[20] = 200.0
    assert track((ScriptedHand(x, frozenset(range(200))),), 200)[0] == ()


def test_a_clip_without_a_hand_has_no_track() -> None:
    assert track((), 30)[0] == ()


def test_the_side_does_not_depend_on_the_viewpoint() -> None:
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    neutral = Landmarks(FLAT, CURLED, 1.0, 0.5)
    assert side_vote([neutral]) > 0.1
    assert side_vote([dataclasses.replace(neutral, world=CURLED @ turn.T)]) == pytest.approx(side_vote([neutral]))
    assert side_vote([dataclasses.replace(neutral, world=CURLED * (-1, 1, 1))]) == pytest.approx(-side_vote([neutral]))


@pytest.mark.parametrize(
    "name, sides",
    [
        ("forehoi-wild1", ["left"]),
        ("forehoi-wild3", ["left"]),
        ("forehoi-wild5", ["left"]),
        ("dexret-humanhand", ["right"]),
        ("v2d-chord-human", ["left", "right"]),
        ("flow3d-can", []),
    ],
)
def test_the_hands_of_real_clips_are_found_with_their_sides(real_data: Path, name: str, sides: list[str]) -> None:
    try:
        networks = LandmarkNetworks.load()
    except MissingDependency as error:
        pytest.skip(str(error))
    clip = open_clip(next((real_data / name).glob("*.mp4")))
    start = dataclasses.replace(clip, time_s=clip.time_s[:40])
    tracks = track_keypoints(start, networks)
    assert sorted(t.side for t in tracks) == sides
    assert all(t.observed.all() for t in tracks)
