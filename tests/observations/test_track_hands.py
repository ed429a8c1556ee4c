"""Which of the hands of a clip are kept, and the whole step on a real clip."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from hoifield.clip.open_clip import open_clip
from hoifield.errors import MissingDependency
from hoifield.observations.guess_camera import guess_camera
from hoifield.observations.landmark_networks import LandmarkNetworks
from hoifield.observations.track_hands import choose_hands, track_hands, without_ghosts
from hoifield.observations.track_keypoints import KeypointTrack


def seen(side: str, frames: int, box: float, agreement: float = 0.95) -> KeypointTrack:
    keypoints = np.full((100, 21, 2), np.nan)
    keypoints[:frames] = np.linspace(0, box, 21)[:, None]
    observed = np.arange(100) < frames
    return KeypointTrack(side, agreement, observed, keypoints, np.zeros((100, 21, 3)), observed * 0.9)


def test_auto_keeps_the_hand_that_fills_most_of_the_clip_and_tells_of_the_other() -> None:
    small, large = seen("left", 100, 50.0), seen("right", 90, 200.0)
    assert choose_hands((small, large), "auto") == ((large,), (small,))


def test_the_asked_side_is_kept() -> None:
    left, right = seen("left", 100, 50.0), seen("right", 90, 200.0)
    assert choose_hands((left, right), "left") == ((left,), (right,))
    assert choose_hands((left, right), "both") == ((right, left), ())


def test_a_sure_vote_is_not_overruled_and_a_doubtful_one_is() -> None:
    sure, doubtful = seen("left", 100, 50.0, 0.97), seen("left", 100, 50.0, 0.3)
    assert choose_hands((sure,), "right") == ((), (sure,))
    kept, unused = choose_hands((doubtful,), "right")
    assert (kept[0].side, len(unused)) == ("right", 0)


def test_two_hands_of_one_side_become_a_pair() -> None:
    kept, _ = choose_hands((seen("left", 100, 90.0, 0.9), seen("left", 100, 80.0, 0.2)), "both")
    assert [track.side for track in kept] == ["left", "right"]


def test_inside_a_larger_hand_one_of_no_clear_side_or_much_smaller_is_a_ghost() -> None:
    hand = seen("right", 100, 90.0)
    unclear, small, real = seen("left", 60, 80.0, 0.01), seen("left", 60, 50.0, 0.72), seen("left", 60, 80.0, 0.45)
    for ghost in (unclear, small):
        assert without_ghosts((ghost, hand)) == (hand,)
        beside = dataclasses.replace(ghost, keypoints=ghost.keypoints + 200.0)
        assert without_ghosts((beside, hand)) == (hand, beside)
    assert without_ghosts((real, hand)) == (hand, real)
    seldom = dataclasses.replace(hand, observed=np.arange(100) < 20)
    assert len(without_ghosts((unclear, seldom))) == 2, "most of its frames show it alone"
    assert without_ghosts(()) == ()


def test_no_hands_stay_none() -> None:
    assert choose_hands((), "auto") == ((), ())


@pytest.mark.parametrize("name", ["forehoi-wild1", "forehoi-wild3", "forehoi-wild5"])
def test_a_held_object_does_not_keep_the_hand_from_being_fitted(real_data: Path, name: str) -> None:
    torch.set_num_threads(1)
    try:
        networks = LandmarkNetworks.load()
    except MissingDependency as error:
        pytest.skip(str(error))
    clip = open_clip(next((real_data / name).glob("*.mp4")))
    clip = dataclasses.replace(clip, time_s=clip.time_s[:60])
    found = track_hands(clip, guess_camera(clip, None)[0], "auto", "anny", networks)
    assert len(found.hands) == 1
    hand = found.hands[0]
    assert hand.side == "left"
    assert hand.observed.all()
    assert np.nanmean(hand.keypoint_error) < 0.025
    depth = hand.T_camera_hand[:, 2, 3]
    assert 0.15 < depth.min() < depth.max() < 1.2
    assert np.abs(np.diff(depth, n=2)).max() < 0.01
