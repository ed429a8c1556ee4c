"""Cameras as given, from metadata, or guessed."""

import json
from pathlib import Path

import numpy as np
import pytest

from hoifield.clip.clip import Clip
from hoifield.errors import ConfigurationError, ExitCode
from hoifield.observations.guess_camera import guess_camera


def some_clip(focal: float | None = None) -> Clip:
    return Clip(Path("clip.mp4"), "video", "clip", "0" * 64, 720, 1280, np.arange(10) / 30, focal)


def test_the_guess_is_a_share_of_the_longer_side() -> None:
    camera, source = guess_camera(some_clip(), None)
    assert source == "guess"
    assert camera.focal == pytest.approx(0.95 * 1280)
    assert camera.K[:2, 2].tolist() == [360.0, 640.0]


def test_metadata_comes_before_a_guess_and_a_given_camera_before_both() -> None:
    assert guess_camera(some_clip(1000.0), None)[0].focal == 1000.0
    camera, source = guess_camera(some_clip(1000.0), "1500,1501,350,650")
    assert source == "given"
    assert np.allclose(camera.K, [[1500, 0, 350], [0, 1501, 650], [0, 0, 1]])


@pytest.mark.parametrize(
    "name, content",
    [
        ("four.txt", "1500 1501 350 650\n"),
        ("matrix.txt", "1500 0 350\n0 1501 650\n0 0 1\n"),
        ("matrix.json", json.dumps([[1500, 0, 350], [0, 1501, 650], [0, 0, 1]])),
        ("named.json", json.dumps({"fx": 1500, "fy": 1501, "cx": 350, "cy": 650})),
        ("K.json", json.dumps({"K": [[1500, 0, 350], [0, 1501, 650], [0, 0, 1]]})),
    ],
)
def test_files_of_every_form_give_the_same_camera(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    camera, _ = guess_camera(some_clip(), str(tmp_path / name))
    assert np.allclose(camera.K, [[1500, 0, 350], [0, 1501, 650], [0, 0, 1]])


@pytest.mark.parametrize(
    "given",
    [
        "",
        "no-such-file.json",
        "1500,1500,360",
        "1500,nan,360,640",
        "-1500,1500,360,640",
        "10,10,360,640",
        "1500,1500,900,640",
        "1500,1500,360,inf",
    ],
)
def test_what_is_no_camera_is_refused_with_a_code(given: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        guess_camera(some_clip(), given)
    assert caught.value.code == "HF-CAM-001"
    assert caught.value.exit_code == ExitCode.CONFIGURATION


@pytest.mark.parametrize("content", ["{", '{"fx": 1500}', "[[1500, 9, 350], [0, 1500, 650], [0, 0, 1]]", "[[1,0,0],[0,1,0],[5,0,1]]"])
def test_bad_files_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "camera.json").write_text(content)
    with pytest.raises(ConfigurationError, match="HF-CAM-001"):
        guess_camera(some_clip(), str(tmp_path / "camera.json"))
