"""A recorded hand is read as it was written, damaged recordings are refused, and our hand goes the recorded way."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hoifield.actors.choose_actor import load_actor
from hoifield.errors import HoifieldError, MissingInput, RefusedInput
from hoifield.synthetic.follow_recording import follow_recording
from hoifield.synthetic.grasp_check import Grasp
from hoifield.synthetic.recording import HAND_FILE, KNUCKLE_BONES, WRIST_BONE, read_recording

FRAMES, CARRIED = 60, slice(20, 41)
GRASP = Grasp(np.full((16, 3), 0.1), np.array([[0.0, -1, 0, -0.09], [1, 0, 0, -0.04], [0, 0, 1, 0.02], [0, 0, 0, 1]]), ("thumb",), 0.0, False, 0.0, 0.0)
AXES = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
"""From the axes of our hand to those of the recorded model."""
OPEN = np.zeros((16, 3))


def _line(T: np.ndarray) -> str:
    return " ".join(f"{number:.9g}" for number in (*T[:3, :3].ravel(), *(1000 * T[:3, 3]))) + "\n"


def _write(folder: Path, bones: dict[str, np.ndarray], name: str = HAND_FILE) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(f"{bone}\n" + "".join(_line(T) for T in transforms) for bone, transforms in bones.items()))


def _wrist_way() -> np.ndarray:
    """A wrist that comes, carries and goes at constant speed; poses of our hand's frame."""
    T = np.tile(np.eye(4), (FRAMES, 1, 1))
    T[:, :3, :3] = Rotation.from_rotvec(np.linspace(0, 0.6, FRAMES)[:, None] * np.array([0.2, 1.0, 0.1])).as_matrix()
    T[:, :3, 3] = np.linspace([-0.15, 0.0, 0.5], [0.15, 0.03, 0.55], FRAMES)
    return T


def _record(folder: Path, with_object: bool) -> np.ndarray:
    """Write that way as a recording of a model whose rest pose lies elsewhere; returns the way."""
    way = _wrist_way()
    joints = load_actor("anny", "right").joint_template.double().numpy()
    T_rest_hand = np.eye(4)
    T_rest_hand[:3, :3], T_rest_hand[:3, 3] = AXES, [0.04, -0.01, -0.08]
    bones = {}
    for bone, joint in zip((WRIST_BONE, *KNUCKLE_BONES), (0, 1, 4, 10, 7), strict=True):
        rest = np.eye(4)
        rest[:3, :3] = Rotation.from_rotvec([0.3, joint, -0.2]).as_matrix()
        rest[:3, 3] = T_rest_hand[:3, :3] @ joints[joint] + T_rest_hand[:3, 3]
        bones[bone] = np.concatenate([rest[None], way @ np.linalg.inv(T_rest_hand) @ rest])
    _write(folder, bones)
    if with_object:
        place = (way @ GRASP.T_hand_object)[:, :3, 3]
        place[: CARRIED.start], place[CARRIED.stop :] = place[CARRIED.start], place[CARRIED.stop - 1]
        T = np.tile(np.eye(4), (FRAMES + 1, 1, 1))
        T[1:, :3, 3] = place
        _write(folder, {"Bone001": T}, "Model_Object_Cube.MOTION")
    return way


def test_our_hand_goes_the_recorded_way(tmp_path: Path) -> None:
    way = _record(tmp_path, with_object=False)
    actor = load_actor("anny", "right")
    motion = follow_recording(read_recording(tmp_path), actor, GRASP, OPEN, FRAMES, seed=0)
    np.testing.assert_allclose(motion.T_camera_hand[8:-8], way[8:-8], atol=2e-4)
    np.testing.assert_array_equal(motion.T_hand_object, np.tile(GRASP.T_hand_object, (FRAMES, 1, 1)))
    stretch = follow_recording(read_recording(tmp_path), actor, GRASP, OPEN, 6, seed=0).T_camera_hand[:, 0, 3]
    np.testing.assert_allclose(np.diff(stretch), 4 * 0.30 / (FRAMES - 1), rtol=0.1)


def test_an_object_is_carried_while_the_recorded_one_is_and_rests_before_and_after(tmp_path: Path) -> None:
    _record(tmp_path, with_object=True)
    motion = follow_recording(read_recording(tmp_path), load_actor("anny", "right"), GRASP, OPEN, FRAMES, seed=0)
    held = (motion.T_hand_object == GRASP.T_hand_object).all((1, 2))
    run = np.nonzero(held)[0]
    assert abs(run[0] - CARRIED.start) <= 5 and abs(run[-1] - (CARRIED.stop - 1)) <= 5 and held[run[0] : run[-1] + 1].all()
    place = motion.T_camera_object
    for rest in (place[: run[0] + 1], place[run[-1] :]):
        np.testing.assert_allclose(rest, np.tile(rest[0], (len(rest), 1, 1)), atol=1e-9)
    assert np.linalg.norm(place[-1, :3, 3] - place[0, :3, 3]) > 0.05
    np.testing.assert_allclose(motion.pose[run], np.tile(GRASP.pose, (len(run), 1, 1)))
    np.testing.assert_allclose(motion.pose[0], OPEN)


def test_a_left_hand_goes_the_mirror_image_of_the_way(tmp_path: Path) -> None:
    _record(tmp_path, with_object=False)
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    right, left = (follow_recording(read_recording(tmp_path), load_actor("anny", side), GRASP, OPEN, 9, seed=0) for side in ("right", "left"))
    np.testing.assert_allclose(left.T_camera_hand, mirror @ right.T_camera_hand @ mirror, atol=1e-6)


def test_damaged_recordings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="HF-SYN-006"):
        read_recording(tmp_path)
    _record(tmp_path, with_object=True)
    text = (tmp_path / HAND_FILE).read_text()
    lines = text.splitlines(keepends=True)
    for damage in (
        text.replace(WRIST_BONE, "Upper Arm R"),
        "".join([*lines[:10], "1 2 3\n", *lines[11:]]),
        "".join(lines[:-4]),
        text.replace(lines[3], _line(np.diag([-1.0, 1.0, 1.0, 1.0]))),
        text.replace(lines[3], _line(np.diag([2.0, 1.0, 1.0, 1.0]))),
        text.replace(lines[3], " ".join(["nan"] * 12) + "\n"),
    ):
        (tmp_path / HAND_FILE).write_text(damage)
        with pytest.raises(RefusedInput, match="HF-SYN-007"):
            read_recording(tmp_path)
    (tmp_path / HAND_FILE).write_text(text)
    object_file = tmp_path / "Model_Object_Cube.MOTION"
    object_file.write_text("".join(object_file.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(RefusedInput, match="HF-SYN-007"):
        read_recording(tmp_path)


def test_an_object_that_is_never_carried_is_refused(tmp_path: Path) -> None:
    _record(tmp_path, with_object=True)
    _write(tmp_path, {"Bone001": np.tile(np.eye(4), (FRAMES + 1, 1, 1))}, "Model_Object_Cube.MOTION")
    with pytest.raises(RefusedInput, match="HF-SYN-008"):
        follow_recording(read_recording(tmp_path), load_actor("anny", "right"), GRASP, OPEN, FRAMES, seed=0)


@pytest.mark.parametrize(("name", "frames", "tracked"), [("iccv15-001", 1248, False), ("ijcv16-15", 209, True), ("ijcv16-20", 186, True)])
def test_real_recordings_are_read(real_data: Path, name: str, frames: int, tracked: bool) -> None:
    try:
        recording = read_recording(real_data / f"hand-tzionas-{name}")
    except HoifieldError as error:
        pytest.skip(f"no recording: {error}")
    assert len(recording.T_camera_rest) == frames and (recording.object_place is not None) == tracked
    motion = follow_recording(recording, load_actor("anny", "right"), GRASP, OPEN, 50, seed=0)
    assert (motion.T_camera_hand[:, 2, 3] > 0.3).all() and (motion.T_camera_hand[:, 2, 3] < 0.8).all()
    held = (motion.T_hand_object == GRASP.T_hand_object).all((1, 2))
    assert held.all() != tracked and held.sum() > 10
