"""Nested plain data comes out of a pickle by its path, as written by numpy of any age and by PyTorch; nothing of it is executed."""

import io
import pickle

import numpy as np
import pytest
import torch

from hoifield.plain_pickle import RefusedPickleError, read_pickle, read_pickled_npy

ANNOTATION = {
    "objRot": np.arange(3.0).reshape(3, 1),
    "camMat": np.eye(3, dtype=np.float32),
    "objName": "003_cracker_box",
    "handJoints3D": None,
    "weight": np.float64(0.25),
    "count": 7,
    "nested": {"rows": [[1, 2], [3, 4]], "mixed": [np.zeros(2), np.zeros(3)]},
    "list": [{"a": 1.5}],
}


def npy(value: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array(value, dtype=object), allow_pickle=True)
    return stream.getvalue()


@pytest.mark.parametrize("protocol", range(5))
def test_values_are_found_by_their_path(protocol: int) -> None:
    read = read_pickle(pickle.dumps(ANNOTATION, protocol))
    np.testing.assert_array_equal(read.array("objRot"), ANNOTATION["objRot"])
    np.testing.assert_array_equal(read.array("camMat"), np.eye(3))
    assert read.text("objName") == "003_cracker_box"
    assert read.array("weight") == 0.25 and read.array("count") == 7
    np.testing.assert_array_equal(read.array("nested", "rows"), [[1, 2], [3, 4]])
    assert read.array("list", 0, "a") == 1.5
    assert set(read.keys()) == set(ANNOTATION) and read.keys("nested") == ("rows", "mixed")


def test_what_is_absent_or_none_is_not_held() -> None:
    read = read_pickle(pickle.dumps(ANNOTATION))
    assert read.holds("objRot") and not read.holds("handJoints3D") and not read.holds("handPose") and not read.holds("count", "x")


def test_an_old_python_2_pickle_is_read() -> None:
    old = pickle.dumps({"x": 1}, 2).replace(b"X\x01\x00\x00\x00x", b"U\x01x")
    assert read_pickle(old).array("x") == 1


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (("objName",), "where an array belongs"),
        (("nested", "mixed"), "different shapes"),
        (("nothing",), "no entry nothing"),
        (("list", 3), "no entry list/3"),
        (("handJoints3D",), "where an array belongs"),
    ],
)
def test_asking_for_what_is_not_there_is_refused(path: tuple, reason: str) -> None:
    with pytest.raises(RefusedPickleError, match=reason):
        read_pickle(pickle.dumps(ANNOTATION)).array(*path)


def test_a_dictionary_saved_by_numpy_is_read_and_a_tensor_beside_it_is_left_alone() -> None:
    read = read_pickled_npy(npy({"entities": {"right": {"hand_poses": np.ones((2, 48))}}, "norm_mat": torch.eye(4)}))
    np.testing.assert_array_equal(read.array("entities", "right", "hand_poses"), np.ones((2, 48)))
    with pytest.raises(RefusedPickleError, match="StoredPlain"):
        read.array("norm_mat")


def test_plain_numbers_and_damaged_files_are_refused() -> None:
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    for content in (stream.getvalue(), b"\x93NUMPY", b"", npy({"a": 1})[:-5]):
        with pytest.raises(RefusedPickleError):
            read_pickled_npy(content)


def test_a_call_inside_an_npy_file_is_refused_unexecuted(tmp_path) -> None:
    attack = b"cos\nmkdir\n(V" + str(tmp_path / "canary").encode() + b"\ntR."
    header = npy({})[: npy({}).index(b"\n") + 1]
    with pytest.raises(RefusedPickleError, match=r"os\.mkdir"):
        read_pickled_npy(header + attack)
    assert not (tmp_path / "canary").exists()
