"""What is written opcode by opcode is what pickle, numpy and PyTorch read, and names nothing that old versions lack."""

import io
import pickle
import pickletools

import numpy as np
import pytest
import torch

from hoifield.datasets.encode_pickle import encode_npy_dictionary, encode_torch_dictionary
from hoifield.plain_pickle import read_pickled_npy

VALUE = {
    "text": "mug – é",
    "numbers": [0, -1, 255, 2**31 - 1, -(2**31), 2**40, 1.5, float("inf"), True, False],
    "nested": {"deep": {"array": np.arange(6.0).reshape(2, 3)}, "empty": {}, "none": []},
    "arrays": [np.float32([1, 2]), np.arange(3, dtype=np.int16), np.asfortranarray(np.arange(12).reshape(3, 4)), np.zeros((0, 3))],
}


def assert_same(a: object, b: object) -> None:
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            assert_same(x, y)
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    else:
        assert a == b and type(a) is type(b)


def test_numpy_reads_the_dictionary() -> None:
    assert_same(VALUE, np.load(io.BytesIO(encode_npy_dictionary(VALUE)), allow_pickle=True).item())


def test_the_projects_own_reader_reads_it() -> None:
    read = read_pickled_npy(encode_npy_dictionary(VALUE))
    np.testing.assert_array_equal(read.array("nested", "deep", "array"), VALUE["nested"]["deep"]["array"])
    assert read.text("text") == "mug – é"


def test_the_stream_names_only_what_python_3_8_and_numpy_1_17_know() -> None:
    content = encode_npy_dictionary(VALUE)
    stream = content[content.index(b"\n") + 1 :]
    names = {argument for opcode, argument, _ in pickletools.genops(stream) if opcode.name in ("GLOBAL", "STACK_GLOBAL")}
    assert names == {"numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype"}
    assert max(opcode.proto for opcode, _, _ in pickletools.genops(stream)) <= 3


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16, np.int32, np.int64])
def test_pytorch_reads_tensors(dtype: type) -> None:
    values = {"a": np.arange(24).reshape(2, 3, 4).astype(dtype), "b": {"c": np.zeros((0, 3), dtype)}, "d": ["x", "y"]}
    loaded = torch.load(io.BytesIO(encode_torch_dictionary(values, "archive", "collections OrderedDict")), weights_only=True)
    np.testing.assert_array_equal(loaded["a"].numpy(), values["a"])
    assert loaded["a"].numpy().dtype == dtype and loaded["b"]["c"].shape == (0, 3) and loaded["d"] == ["x", "y"]


def test_an_array_that_is_not_contiguous_keeps_its_values() -> None:
    turned = np.arange(12.0).reshape(3, 4).T[::2]
    loaded = np.load(io.BytesIO(encode_npy_dictionary({"a": turned})), allow_pickle=True).item()
    np.testing.assert_array_equal(loaded["a"], turned)


def test_pickle_itself_agrees_on_plain_values() -> None:
    plain = {key: VALUE[key] for key in ("text", "numbers")}
    content = encode_npy_dictionary(plain)
    assert pickle.loads(content[content.index(b"\n") + 1 :]).item() == plain
