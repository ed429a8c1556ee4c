"""Finding and fetching the two network files."""

import zipfile
from pathlib import Path

import pytest

from hoifield.errors import ExitCode, MissingDependency, RefusedInput
from hoifield.observations import hand_tracker_files
from hoifield.observations.hand_tracker_files import LANDMARK_FILE, PALM_FILE, HandTrackerFiles, find_hand_tracker, unpack_hand_tracker


def test_an_empty_folder_is_reported_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOIFIELD_HAND_TRACKER", str(tmp_path))
    with pytest.raises(MissingDependency) as caught:
        find_hand_tracker()
    assert caught.value.code == "HF-HND-001"
    assert caught.value.exit_code == ExitCode.MISSING_DEPENDENCY
    assert "doctor --install hand-tracker" in caught.value.remedy
    assert str(tmp_path) in caught.value.cause


def test_a_named_folder_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOIFIELD_HAND_TRACKER", str(tmp_path))
    for name in (PALM_FILE, LANDMARK_FILE):
        (tmp_path / name).write_bytes(b"something else")
    assert find_hand_tracker() == HandTrackerFiles(tmp_path / PALM_FILE, tmp_path / LANDMARK_FILE)


def test_other_bytes_under_the_same_name_are_refused(tmp_path: Path) -> None:
    for name in (PALM_FILE, LANDMARK_FILE):
        (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(RefusedInput, match="HF-HND-003"):
        HandTrackerFiles(tmp_path / PALM_FILE, tmp_path / LANDMARK_FILE).verify()


def test_a_wheel_with_a_wrong_sum_is_not_unpacked(tmp_path: Path) -> None:
    wheel = tmp_path / "mediapipe.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(hand_tracker_files.WHEEL_MEMBERS[PALM_FILE], b"x")
    with pytest.raises(RefusedInput, match="HF-HND-003"):
        unpack_hand_tracker(wheel, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_failed_download_names_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = tmp_path / "no-pip"
    pip.write_text("#!/bin/sh\necho 'no network today' >&2\nexit 3\n")
    pip.chmod(0o755)
    monkeypatch.setattr(hand_tracker_files.sys, "executable", str(pip))
    with pytest.raises(MissingDependency, match="ended with 3: no network today") as caught:
        hand_tracker_files.fetch_hand_tracker()
    assert caught.value.code == "HF-HND-002"
