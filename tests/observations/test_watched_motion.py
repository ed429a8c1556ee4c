"""Programs that stall, crash or outlive their parent, and structure from motion when its program does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hoifield.geometry.cameras import Camera
from hoifield.observations import motion_program
from hoifield.observations.motion_features import FrameFeatures
from hoifield.observations.motion_poses import MotionConfig, find_motion_poses
from hoifield.observations.motion_program import PROGRAM
from hoifield.observations.reconstruct_motion import match_descriptors
from hoifield.observations.watched_programs import WatchedPrograms, WatchLimits

QUICK = WatchLimits(stall_s=0.6, poll_s=0.02)
SLEEP = "import time; time.sleep(1000)"
WAKE_OFTEN = "import time\nwhile True: time.sleep(0.01)"
WORK = "import time\nend = time.process_time() + 1.5\nwhile time.process_time() < end: pass"
CRASH = "import os, sys; sys.stderr.write('bad memory\\n'); sys.stderr.flush(); os.kill(os.getpid(), 11)"
REFUSE = "import sys; sys.stderr.write('first\\nno such thing\\n'); sys.exit(3)"


def command(program: str) -> list[str]:
    return [sys.executable, "-I", "-c", program]


def is_running(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def counted(program: str, folder: Path) -> list[str]:
    """The program, leaving a letter in a file each time it starts."""
    return command(f"open({str(folder / 'starts')!r}, 'a').write('x')\n{program}")


@pytest.mark.parametrize(
    ("program", "reason"),
    [(SLEEP, "stalled, 2 times"), (WAKE_OFTEN, "stalled, 2 times"), (CRASH, "died of signal 11, 2 times: bad memory"),
     (REFUSE, "ended with status 3, 2 times: first / no such thing")],
)  # fmt: skip
def test_a_program_that_stalls_crashes_or_refuses_is_tried_twice_and_given_up(program: str, reason: str, tmp_path: Path) -> None:
    with WatchedPrograms([counted(program, tmp_path)], tmp_path, QUICK) as running:
        assert running.wait_for(0) == reason
    assert (tmp_path / "starts").read_text() == "xx"


def test_a_program_that_works_longer_than_the_stall_limit_is_left_alone(tmp_path: Path) -> None:
    with WatchedPrograms([counted(WORK, tmp_path)], tmp_path, QUICK) as running:
        assert running.wait_for(0) == ""
    assert (tmp_path / "starts").read_text() == "x"


def test_a_second_try_that_ends_well_counts(tmp_path: Path) -> None:
    once = f"import pathlib, time\nif len(pathlib.Path({str(tmp_path / 'starts')!r}).read_text()) < 2: time.sleep(1000)"
    with WatchedPrograms([counted(once, tmp_path)], tmp_path, QUICK) as running:
        assert running.wait_for(0) == ""
    assert (tmp_path / "starts").read_text() == "xx"


def test_programs_still_running_are_stopped_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    left = f"import os\nopen({str(tmp_path / 'left')!r}, 'w').write(str(os.getpid()))\nwhile True: pass"
    with WatchedPrograms([command(left), command("")], tmp_path, WatchLimits()) as running:
        assert running.wait_for(1) == ""
        assert wait_until(lambda: (tmp_path / "left").exists() and (tmp_path / "left").read_text() != "", 20)
        process_id = int((tmp_path / "left").read_text())
        assert is_running(process_id)
    assert not is_running(process_id)


def test_on_one_core_a_program_waits_for_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    with WatchedPrograms([counted("", tmp_path), counted("", tmp_path)], tmp_path, WatchLimits()) as running:
        assert running.wait_for(0) == ""
        assert (tmp_path / "starts").read_text() == "x"
        assert running.wait_for(1) == ""
    assert (tmp_path / "starts").read_text() == "xx"


def turning_points(count: int, points: int) -> tuple[list[FrameFeatures], Camera, np.ndarray]:
    """Features of a cloud of points that turns by 4 degrees a frame, their camera and T_camera_object."""
    generator = np.random.default_rng(0)
    cloud = generator.uniform(-0.05, 0.05, (points, 3))
    looks = generator.integers(0, 60, (points, 128))
    camera = Camera(np.array([[500.0, 0, 200], [0, 500, 200], [0, 0, 1]]), 400, 400)
    features, poses = [], np.tile(np.eye(4), (count, 1, 1))
    for frame, angle in enumerate(np.radians(4.0 * np.arange(count))):
        cosine, sine = np.cos(angle), np.sin(angle)
        poses[frame, :3] = [[cosine, 0, sine, 0.0], [0, 1, 0, 0.0], [-sine, 0, cosine, 0.4]]
        seen = (cloud @ poses[frame, :3, :3].T + poses[frame, :3, 3]) @ camera.K.T
        noisy = np.clip(looks + generator.integers(0, 5, looks.shape), 0, 255).astype(float)
        pixels = (seen[:, :2] / seen[:, 2:] + generator.normal(0, 0.2, (points, 2))).astype(np.float32)
        features.append(FrameFeatures(pixels, np.round(512 * noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.uint8)))
    return features, camera, poses


def test_the_real_program_places_every_frame_and_twice_the_same() -> None:
    pytest.importorskip("pycolmap")
    features, camera, poses = turning_points(14, 120)
    first, second = (find_motion_poses(features, camera, poses, MotionConfig()) for _ in range(2))
    assert first.refused == "" and (first.segment == 0).all()
    assert np.abs(first.T_camera_object - poses).max() < 0.02
    assert np.array_equal(first.T_camera_object, second.T_camera_object)


@pytest.mark.parametrize(("program", "reason"), [(SLEEP, "stalled"), (CRASH, "bad memory"), (REFUSE, "status 3")])
def test_a_program_that_fails_refuses_motion_with_its_reason(program: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = tmp_path / "stand_in.py"
    stand_in.write_text(program)
    monkeypatch.setattr(motion_program, "PROGRAM", stand_in)
    features, camera, poses = turning_points(10, 80)
    found = find_motion_poses(features, camera, poses, MotionConfig(limits=QUICK))
    assert reason in found.refused and found.refused.startswith("structure from motion ")
    assert np.isnan(found.T_camera_object).all() and (found.segment == -1).all()


def test_the_real_program_gives_matches_that_follow_the_points() -> None:
    pytest.importorskip("pycolmap")
    features, camera, _ = turning_points(10, 120)
    shuffled = [frame.strongest(np.ones(120, bool), 120) for frame in features]
    order = np.random.default_rng(1).permutation(120)
    shuffled[4] = FrameFeatures(features[4].pixels[order], features[4].descriptors[order])
    found = motion_program.run_motion_program(shuffled, np.zeros(len(shuffled), bool), camera, 0, 8, MotionConfig().limits)
    assert not isinstance(found, str) and found.models == ()
    point = np.where(found.matched_frames == 4, order[found.matched_features], found.matched_features)
    assert len(point) > 1000 and (point[:, 0] == point[:, 1]).mean() > 0.99


PARENT = """
import signal
# Started in the background of a shell, a process inherits that Ctrl-C is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
from tests.observations.test_watched_motion import turning_points
from hoifield.observations.motion_poses import MotionConfig, find_motion_poses
features, camera, poses = turning_points(200, 900)
find_motion_poses(features, camera, poses, MotionConfig())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_program_outlives_its_parent(number: int) -> None:
    pytest.importorskip("pycolmap")
    root = Path(__file__).parents[2]
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=root, stderr=subprocess.DEVNULL, start_new_session=True)
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    try:

        def programs() -> list[int]:
            return [int(child) for child in children.read_text().split() if PROGRAM.name in Path(f"/proc/{child}/cmdline").read_text()]

        assert wait_until(lambda: bool(programs()), 60)
        time.sleep(0.5)
        process_id = programs()[0]
        parent.send_signal(number)
        parent.wait(20)
        assert wait_until(lambda: not is_running(process_id), 10)
    finally:
        parent.kill()
        parent.wait()


def test_matches_are_mutual_close_and_distinct() -> None:
    generator = np.random.default_rng(3)
    drawn = generator.uniform(0, 1, (40, 128)) ** 4
    looks = np.round(512 * drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    order = generator.permutation(40)
    matches = match_descriptors(looks, looks[order])
    assert (order[matches[:, 1]] == matches[:, 0]).all() and len(matches) == 40
    twice = np.concatenate([looks, looks[:1]])
    assert 0 not in match_descriptors(looks, twice)[:, 0], "two equal candidates are no match"
    assert len(match_descriptors(looks[:20], looks[20:])) < 3
