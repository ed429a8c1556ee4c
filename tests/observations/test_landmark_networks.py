"""The two networks: decoding in closed form, and what they see in real pictures."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hoifield.clip.open_clip import open_clip
from hoifield.errors import MissingDependency
from hoifield.observations.landmark_networks import LandmarkNetworks, _merge_overlaps, _palm_anchors
from hoifield.observations.rotated_boxes import box_from_landmarks
from hoifield.observations.track_keypoints import side_vote


@pytest.fixture(scope="module")
def networks() -> LandmarkNetworks:
    try:
        return LandmarkNetworks.load()
    except MissingDependency as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def picture(real_data: Path) -> np.ndarray:
    clip = open_clip(next((real_data / "dexret-humanhand").glob("*.mp4")))
    return next(iter(clip.read_frames([0])))[1]


def test_anchors_lie_at_cell_centres_in_the_order_of_the_layers() -> None:
    anchors = _palm_anchors()
    assert anchors.shape == (2016, 2)
    assert np.allclose(anchors[[0, 1]], 0.5 / 24)
    assert np.allclose(anchors[2], (1.5 / 24, 0.5 / 24))
    assert np.allclose(anchors[1152:1158], 0.5 / 12)
    assert np.allclose(anchors[-1], 11.5 / 12)


def test_overlapping_boxes_become_their_weighted_mean() -> None:
    points = np.zeros((3, 9, 2))
    points[0, 1], points[1, :2], points[2, :2] = 10.0, [[1, 0], [11, 10]], [[50, 50], [60, 60]]
    merged = _merge_overlaps(np.array([0.6, 0.9, 0.7]), points)
    assert [score for score, _ in merged] == [0.9, 0.7]
    assert merged[0][1][0, 0] == pytest.approx(0.6)
    assert merged[1][1][1, 0] == pytest.approx(60)


def test_no_boxes_merge_to_none() -> None:
    assert _merge_overlaps(np.zeros(0), np.zeros((0, 9, 2))) == []


def test_an_empty_picture_has_no_palm(networks: LandmarkNetworks) -> None:
    assert networks.find_palms(np.full((300, 200, 3), 128, np.uint8)) == []


def test_a_bare_right_hand_is_found_and_its_mirror_image_is_a_left_one(networks: LandmarkNetworks, picture: np.ndarray) -> None:
    votes = []
    for view in (picture, np.ascontiguousarray(picture[:, ::-1])):
        palms = networks.find_palms(view)
        assert len(palms) == 1
        landmarks = networks.find_landmarks(view, palms[0].box)
        assert landmarks.presence > 0.9
        votes.append(side_vote([landmarks]))
    assert votes[0] > 0.5
    assert votes[1] < -0.5


def test_keypoints_turn_with_the_picture(networks: LandmarkNetworks, picture: np.ndarray) -> None:
    upright = networks.find_landmarks(picture, networks.find_palms(picture)[0].box)
    upright = networks.find_landmarks(picture, box_from_landmarks(upright.keypoints))
    quarter = np.ascontiguousarray(np.rot90(picture))
    expected = np.column_stack([upright.keypoints[:, 1], picture.shape[1] - upright.keypoints[:, 0]])
    found = networks.find_landmarks(quarter, box_from_landmarks(expected))
    side = np.ptp(expected, axis=0).max()
    assert np.linalg.norm(found.keypoints - expected, axis=1).mean() < 0.01 * side
    turn = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    assert np.linalg.norm(found.world - upright.world @ turn.T, axis=1).mean() < 0.003


def test_a_box_beside_the_hand_has_low_presence(networks: LandmarkNetworks, picture: np.ndarray) -> None:
    box = networks.find_palms(picture)[0].box
    away = dataclasses.replace(box, x=box.x + (-1.5 if box.x > picture.shape[1] / 2 else 1.5) * box.side)
    assert networks.find_landmarks(picture, away).presence < 0.5


def test_the_package_that_carries_the_networks_is_never_imported() -> None:
    code = "import sys; from hoifield.observations.landmark_networks import LandmarkNetworks\ntry:\n    LandmarkNetworks.load()\n"
    code += "except Exception as error:\n    assert 'HF-HND' in str(error)\nassert 'mediapipe' not in sys.modules"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
