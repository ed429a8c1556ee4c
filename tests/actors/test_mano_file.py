"""A file of MANO's shapes becomes a hand under the contract; what is not MANO is refused with a code."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from hoifield.actors.choose_actor import load_actor
from hoifield.actors.mano_file import load_mano
from hoifield.errors import MissingInput, RefusedInput
from hoifield.geometry.rotations import matrix_from_axis_angle

Arrays = dict[str, np.ndarray]
Pickler = Callable[[Arrays, int], bytes]


@pytest.fixture(scope="module")
def mano_file(cache: Path, mano_arrays: Arrays, pickle_mano: Pickler, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mano") / "MANO_RIGHT.pkl"
    path.write_bytes(pickle_mano(mano_arrays, 2))
    return path


def test_a_mano_file_becomes_a_closed_hand_at_the_wrist(mano_file: Path, mano_arrays: Arrays) -> None:
    hand = load_mano(mano_file, "right")
    assert hand.name == "mano" and hand.template.shape == (779, 3) and hand.faces.shape == (1554, 3)
    mesh = trimesh.Trimesh(hand.template.numpy(), hand.faces.numpy(), process=False)
    assert mesh.is_watertight and mesh.is_winding_consistent and mesh.volume > 0
    assert not hand.joint_template[0].any() and not hand.joint_directions[0].any()
    assert hand.fingertip_vertices == (745, 317, 444, 556, 673)


def test_posing_equals_the_equations_of_mano(mano_file: Path, mano_arrays: Arrays) -> None:
    """Romero et al. 2017, eq. 2-4, with MANO's own arrays, root at its joint."""
    hand = load_mano(mano_file, "right")
    generator = np.random.default_rng(1)
    shape, pose = generator.normal(size=10), 0.4 * generator.normal(size=(16, 3))
    rotations = matrix_from_axis_angle(torch.tensor(pose)).numpy()
    rest = mano_arrays["v_template"] + mano_arrays["shapedirs"] @ shape
    joints = mano_arrays["J_regressor"] @ rest
    corrected = rest + mano_arrays["posedirs"] @ (rotations[1:] - np.eye(3)).ravel()
    parents = [-1, *mano_arrays["kintree_table"][0, 1:].tolist()]
    frames = []
    for joint in range(16):
        local = np.eye(4)
        local[:3, :3] = rotations[joint]
        local[:3, 3] = joints[joint] - (joints[parents[joint]] if joint else 0.0)
        frames.append(frames[parents[joint]] @ local if joint else local)
    carried = [corrected @ frame[:3, :3].T + frame[:3, 3] - frame[:3, :3] @ joints[j] for j, frame in enumerate(frames)]
    expected = np.einsum("vj,jva->va", mano_arrays["weights"], np.stack(carried))
    T = torch.eye(4)
    T[:3, :3] = torch.tensor(rotations[0])
    T[:3, 3] = torch.tensor(joints[0])
    posed = hand.pose(torch.tensor(shape, dtype=torch.float32), torch.tensor(pose, dtype=torch.float32)[None], T[None])
    np.testing.assert_allclose(posed.vertices[0, :778].numpy(), expected, atol=2e-6)


def test_a_left_hand_mirrors_the_right_with_its_correctives(mano_file: Path) -> None:
    right, left = load_mano(mano_file, "right"), load_mano(mano_file, "left")
    pose = 0.4 * torch.randn(2, 16, 3, generator=torch.Generator().manual_seed(2))
    T = torch.eye(4).expand(2, 4, 4)
    mirrored = left.pose(torch.ones(10), pose * torch.tensor([1.0, -1.0, -1.0]), T)
    torch.testing.assert_close(
        mirrored.vertices, right.pose(torch.ones(10), pose, T).vertices * torch.tensor([-1.0, 1.0, 1.0]), atol=1e-6, rtol=0
    )


def test_a_file_of_the_left_hand_gives_the_same_left_hand(mano_arrays: Arrays, mano_file: Path, tmp_path: Path) -> None:
    mirror = np.array([-1.0, 1.0, 1.0])
    arrays = dict(mano_arrays)
    arrays["v_template"] = arrays["v_template"] * mirror
    arrays["shapedirs"] = arrays["shapedirs"] * mirror[:, None]
    arrays["posedirs"] = arrays["posedirs"] * mirror[:, None] * np.tile(np.outer(mirror, mirror).ravel(), 15)
    arrays["f"] = arrays["f"][:, ::-1]
    np.savez(tmp_path / "MANO_LEFT.npz", **arrays)
    of_left, of_right = load_mano(tmp_path / "MANO_LEFT.npz", "left"), load_mano(mano_file, "left")
    torch.testing.assert_close(of_left.template, of_right.template)
    torch.testing.assert_close(of_left.pose_directions, of_right.pose_directions)


def test_auto_prefers_mano_and_reads_it_once(mano_file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOIFIELD_MANO_DIR", str(mano_file.parent))
    assert load_actor("auto", "left").name == "mano"
    monkeypatch.setattr("subprocess.run", lambda *args, **kwargs: pytest.fail("the cached hand was not used"))
    assert load_actor("mano", "right").name == "mano"


def test_an_absent_file_is_missing_input(tmp_path: Path) -> None:
    with pytest.raises(MissingInput) as raised:
        load_mano(tmp_path / "MANO_RIGHT.pkl", "right")
    assert raised.value.exit_code == 66


def test_a_malicious_file_is_refused_through_the_child(cache: Path, tmp_path: Path) -> None:
    canary, path = tmp_path / "canary", tmp_path / "MANO_RIGHT.pkl"
    path.write_bytes(b"cos\nmkdir\n(V" + os.fsencode(canary) + b"\ntR.")
    with pytest.raises(RefusedInput, match=r"os\.mkdir") as raised:
        load_mano(path, "right")
    assert raised.value.code == "HF-ACT-005" and not canary.exists()


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("f", lambda array: np.where(array == 0, 5000, array), "faces out of range"),
        ("weights", lambda array: array * np.nan, "not finite"),
        ("weights", lambda array: array * 2, "sum to 1"),
        ("kintree_table", lambda array: array * 0, "joint tree"),
        ("v_template", lambda array: array[:700], "other shapes"),
        ("v_template", lambda array: array * 1000, "size"),
        ("f", lambda array: array[:, ::-1], "inwards"),
    ],
)
def test_arrays_that_are_not_of_mano_are_refused(
    mano_arrays: Arrays, cache: Path, tmp_path: Path, name: str, change: Callable[[np.ndarray], np.ndarray], reason: str
) -> None:
    np.savez(tmp_path / "MANO_RIGHT.npz", **{**mano_arrays, name: change(mano_arrays[name])})
    with pytest.raises(RefusedInput, match=reason) as raised:
        load_mano(tmp_path / "MANO_RIGHT.npz", "right")
    assert raised.value.code == "HF-ACT-006"


def test_an_archive_with_pickled_objects_is_refused(mano_arrays: Arrays, cache: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "MANO_RIGHT.npz", **{**mano_arrays, "weights": np.array([{}], dtype=object)})
    with pytest.raises(RefusedInput) as raised:
        load_mano(tmp_path / "MANO_RIGHT.npz", "right")
    assert raised.value.code == "HF-ACT-005"
