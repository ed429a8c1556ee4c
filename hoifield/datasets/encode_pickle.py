"""Pickles and PyTorch files of plain data, written opcode by opcode: the same bytes everywhere, readable by old numpy and old PyTorch.

HOLD reads dictionaries out of numpy's and PyTorch's files with Python 3.8; numpy and torch themselves would write names that such old
versions do not know. Nothing here executes or imports anything.
"""

import io
import struct
import zipfile
from dataclasses import dataclass
from typing import assert_never

import numpy as np

Plain = bool | int | float | str | list["Plain"] | dict[str, "Plain"] | np.ndarray
"""What can be written."""
_MARK, _STOP = b"(", b"."
_STORAGES = {"f2": "HalfStorage", "f4": "FloatStorage", "f8": "DoubleStorage", "i2": "ShortStorage", "i4": "IntStorage", "i8": "LongStorage"}
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class _TensorStore:
    """Where arrays go as tensors of PyTorch, and the class that dictionaries get."""

    contents: list[bytes]
    dictionary_class: str


def encode_npy_dictionary(value: dict[str, Plain]) -> bytes:
    """The bytes of an .npy file from which `numpy.load(path, allow_pickle=True).item()` gives the dictionary."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": ()})
    content = _array(b"]" + _encode(value, None) + b"a", (), "O8", "|")
    return stream.getvalue() + b"\x80\x03" + content + _STOP


def encode_torch_dictionary(value: dict[str, Plain], name: str, dictionary_class: str) -> bytes:
    """The bytes of a PyTorch file (zip format of 1.6 and later) that holds the dictionary, arrays as tensors.

    `dictionary_class` ("module name") is the subclass of dict that the reader expects. Numbers must be 16, 32 or 64 bits wide.
    """
    store = _TensorStore([], dictionary_class)
    records = {"data.pkl": b"\x80\x02" + _encode(value, store) + _STOP, "byteorder": b"little"}
    records |= {f"data/{number}": content for number, content in enumerate(store.contents)}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for record, content in (records | {"version": b"3\n"}).items():
            archive.writestr(zipfile.ZipInfo(f"{name}/{record}", ZIP_DATE), content)
    return stream.getvalue()


def _encode(value: Plain, store: _TensorStore | None) -> bytes:
    """Opcodes that put the value on the stack."""
    match value:
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            return _integer(value)
        case float():
            return b"G" + struct.pack(">d", value)
        case str():
            encoded = value.encode("utf-8")
            return b"X" + struct.pack("<I", len(encoded)) + encoded
        case list():
            return b"]" + _MARK + b"".join(_encode(item, store) for item in value) + b"e"
        case dict():
            start = b"}" if store is None else _name(*store.dictionary_class.split()) + b")\x81"
            return start + _MARK + b"".join(_encode(key, store) + _encode(item, store) for key, item in value.items()) + b"u"
        case np.ndarray():
            plain = np.ascontiguousarray(value)
            plain = plain.astype(plain.dtype.newbyteorder("<"))
            if store is not None:
                return _tensor(plain, store)
            raw = plain.tobytes()
            return _array(b"B" + struct.pack("<I", len(raw)) + raw, value.shape, plain.dtype.str[1:], "<")
        case _:
            assert_never(value)


def _integer(value: int) -> bytes:
    return b"J" + struct.pack("<i", value) if abs(value) < 2**31 else b"\x8a\x08" + struct.pack("<q", value)


def _name(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _tuple(*parts: bytes) -> bytes:
    return _MARK + b"".join(parts) + b"t"


def _array(content: bytes, shape: tuple[int, ...], code: str, order: str) -> bytes:
    """Opcodes of numpy.ndarray: an empty one, then its state (version, shape, type, column order, content)."""
    empty = _tuple(_name("numpy", "ndarray"), _tuple(_integer(0)), b"C\x01b")
    flags = _integer(63) if code == "O8" else _integer(0)
    kind = _name("numpy", "dtype") + _tuple(_encode(code, None), b"\x89", b"\x88") + b"R"
    kind += _tuple(_integer(3), _encode(order, None), b"NNN", _integer(-1), _integer(-1), flags) + b"b"
    sizes = _tuple(*(_integer(size) for size in shape))
    return _name("numpy.core.multiarray", "_reconstruct") + empty + b"R" + _tuple(_integer(1), sizes, kind, b"\x89", content) + b"b"


def _tensor(array: np.ndarray, store: _TensorStore) -> bytes:
    """Opcodes of a tensor whose storage is a record of its own."""
    storage = _STORAGES[array.dtype.str[1:]]
    key = str(len(store.contents))
    store.contents.append(array.tobytes())
    handle = _tuple(_encode("storage", None), _name("torch", storage), _encode(key, None), _encode("cpu", None), _integer(array.size)) + b"Q"
    strides = [stride // array.itemsize for stride in array.strides]
    sizes, steps = (_tuple(*(_integer(number) for number in numbers)) for numbers in (array.shape, strides))
    hooks = _name("collections", "OrderedDict") + b")R"
    return _name("torch._utils", "_rebuild_tensor_v2") + _tuple(handle, _integer(0), sizes, steps, b"\x89", hooks) + b"R"
