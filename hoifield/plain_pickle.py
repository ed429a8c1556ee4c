"""Pickles of plain data read without executing anything from them: a program of its own that uses only the standard library and numpy.

MANO's released file, HO3D's and HOI4D's annotations, and the dictionaries inside ARCTIC's and HOLD's .npy files are such pickles. Run as
`python -I plain_pickle.py FILE OUT.npz NAME...` in a child process with limits on memory and time, or imported for small files. Every
name that the stream may refer to is a stub in this file; an evaluator then turns what the stubs stored into plain arrays.
"""

import io
import pickle
import pickletools
import resource
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

LARGEST_FILE = 64 * 2**20
LARGEST_SEQUENCE = 2**30
"""Bytes of an .npy file of a data set."""
MOST_OPCODES = 200_000
MOST_ENTRIES = 10_000_000
DEEPEST = 4
MEMORY_LIMIT = 2 * 2**30
SECONDS_LIMIT = 15
REFUSED_STATUS = 65
REFUSED_OPCODES = frozenset(
    ("INST", "OBJ", "PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "NEWOBJ_EX", "BYTEARRAY8", "NEXT_BUFFER", "READONLY_BUFFER", "FROZENSET")
)
MEMO_OPCODES = frozenset(("PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET"))
NUMBER_CODES = frozenset(("f8", "f4", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1"))


class RefusedPickleError(ValueError):
    """The file does not hold what was asked of it, or asks for something that plain data does not need."""


class Stored:
    """A stub: it keeps the arguments and the state that the stream gives it, and does nothing."""

    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> Any:
        self = super().__new__(cls)
        self.arguments, self.state = arguments, None
        return self

    def __setstate__(self, state: Any) -> None:
        self.state = state


class StoredArray(Stored):
    """numpy.ndarray, and the function that makes an empty one."""


class StoredType(Stored):
    """numpy.dtype."""


class StoredValue(Stored):
    """chumpy.ch.Ch: an array with the name x."""


class StoredSelection(Stored):
    """chumpy.reordering.Select: entries of another array, in a new shape."""


class StoredSparse(Stored):
    """scipy.sparse.csc_matrix."""


class StoredNumber(Stored):
    """numpy's scalar: a type and its bytes."""


class StoredPlain(Stored):
    """object, set, and PyTorch's tensors, whose contents are never looked at."""


class StoredInstance(Stored):
    """copyreg._reconstructor(kind, object, None) of protocols 0 and 1."""

    def __new__(cls, *arguments: Any) -> Any:
        if len(arguments) == 3 and arguments[0] in (StoredValue, StoredSelection, StoredSparse):
            return arguments[0]()
        raise RefusedPickleError("an instance of a class that plain data does not hold")


class StoredBytes(Stored):
    """_codecs.encode(text, "latin1"), how protocols 0 to 2 write bytes."""

    def __new__(cls, *arguments: Any) -> Any:
        if len(arguments) == 2 and isinstance(arguments[0], str) and arguments[1] in ("latin1", "latin-1"):
            return arguments[0].encode("latin1")
        raise RefusedPickleError("text in an encoding other than latin1")


class StubUnpickler(pickle.Unpickler):
    """Resolves the names of plain data to stubs, and no other name."""

    names: ClassVar[dict[tuple[str, str], type[Stored]]] = {
        ("numpy", "ndarray"): StoredArray,
        ("numpy.core.multiarray", "_reconstruct"): StoredArray,
        ("numpy._core.multiarray", "_reconstruct"): StoredArray,
        ("numpy", "dtype"): StoredType,
        ("numpy.core.multiarray", "scalar"): StoredNumber,
        ("numpy._core.multiarray", "scalar"): StoredNumber,
        ("chumpy.ch", "Ch"): StoredValue,
        ("chumpy.reordering", "Select"): StoredSelection,
        ("scipy.sparse.csc", "csc_matrix"): StoredSparse,
        ("scipy.sparse._csc", "csc_matrix"): StoredSparse,
        ("copy_reg", "_reconstructor"): StoredInstance,
        ("copyreg", "_reconstructor"): StoredInstance,
        ("_codecs", "encode"): StoredBytes,
        ("__builtin__", "object"): StoredPlain,
        ("builtins", "object"): StoredPlain,
        ("__builtin__", "set"): StoredPlain,
        ("builtins", "set"): StoredPlain,
        ("collections", "OrderedDict"): StoredPlain,
        ("torch._utils", "_rebuild_tensor_v2"): StoredPlain,
        ("torch.storage", "_load_from_bytes"): StoredPlain,
    }

    def find_class(self, module: str, name: str) -> type[Stored]:
        """The stub for a name; refuses every other one."""
        stub = self.names.get((module, name))
        if stub is None:
            raise RefusedPickleError(f"the name {module[:60]}.{name[:60]}, which plain data does not need")
        return stub


class PlainPickle:
    """What a pickle holds, by the path of keys (and positions in lists) that leads there; looked at only when asked for."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def holds(self, *path: str | int) -> bool:
        """Whether something other than None stands there."""
        try:
            return self._find(path) is not None
        except RefusedPickleError:
            return False

    def keys(self, *path: str | int) -> tuple[str, ...]:
        """The keys of the dictionary that stands there."""
        found = self._find(path)
        if not isinstance(found, dict):
            raise RefusedPickleError(f"no dictionary at {_name(path)}")
        return tuple(_text(key) for key in found)

    def array(self, *path: str | int) -> np.ndarray:
        """The numbers that stand there: an array, a number, or lists of them."""
        found = self._find(path)
        try:
            return evaluate(found, 0)
        except RefusedPickleError:
            raise
        except Exception as error:
            raise RefusedPickleError(f"damaged numbers at {_name(path)} ({type(error).__name__}: {str(error)[:120]})") from error

    def text(self, *path: str | int) -> str:
        """The string that stands there."""
        found = self._find(path)
        if not isinstance(found, (str, bytes)):
            raise RefusedPickleError(f"no text at {_name(path)}")
        return _text(found)

    def _find(self, path: tuple[str | int, ...]) -> Any:
        found = _unwrapped(self._root)
        for key in path:
            if isinstance(found, dict):
                matching = [value for name, value in found.items() if name == key or (isinstance(name, bytes) and _text(name) == key)]
            else:
                matching = list(found[key : key + 1]) if isinstance(found, (list, tuple)) and isinstance(key, int) and key >= 0 else []
            if not matching:
                raise RefusedPickleError(f"no entry {_name(path)}")
            found = _unwrapped(matching[0])
        return found


def _name(path: tuple[str | int, ...]) -> str:
    return "/".join(str(key) for key in path)


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


def _unwrapped(value: Any) -> Any:
    """The one thing inside an array of objects without axes, as numpy saves a dictionary; any other value as it is."""
    state = value.state if isinstance(value, StoredArray) else None
    if isinstance(state, tuple) and len(state) == 5 and state[1] == () and isinstance(state[4], list) and len(state[4]) == 1:
        return state[4][0]
    return value


def read_pickle(content: bytes, largest: int = LARGEST_FILE) -> PlainPickle:
    """The content of a pickle of plain data; raises RefusedPickleError, and nothing else, for any other content."""
    try:
        scan_opcodes(content, largest)
        return PlainPickle(StubUnpickler(io.BytesIO(content), encoding="latin1").load())
    except RefusedPickleError:
        raise
    except Exception as error:
        raise RefusedPickleError(f"a damaged stream ({type(error).__name__}: {str(error)[:120]})") from error


def read_pickled_npy(content: bytes) -> PlainPickle:
    """The content of an .npy file that holds a pickled dictionary; errors as `read_pickle`."""
    try:
        stream = io.BytesIO(content)
        version = np.lib.format.read_magic(stream)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        is_pickled = header(stream)[2].hasobject
    except (ValueError, EOFError) as error:
        raise RefusedPickleError(f"no .npy header ({str(error)[:120]})") from error
    if not is_pickled:
        raise RefusedPickleError("an array of numbers where a dictionary belongs")
    return read_pickle(content[stream.tell() :], LARGEST_SEQUENCE)


def read_arrays(content: bytes, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The arrays of a pickled dictionary by name; a name that ends in "?" may be absent. Errors as `read_pickle`."""
    source = read_pickle(content)
    held = source.keys()
    missing = [name for name in names if not name.endswith("?") and name not in held]
    if missing:
        raise RefusedPickleError(f"no entry {', '.join(missing)}")
    return {name: source.array(name) for name in (name.rstrip("?") for name in names) if name in held}


def scan_opcodes(content: bytes, largest: int = LARGEST_FILE) -> None:
    """Walk the opcodes without executing them; refuses kinds, counts and memo indices that plain data does not need."""
    if len(content) > largest:
        raise RefusedPickleError(f"{len(content) / 2**20:.0f} MB, more than {largest // 2**20}")
    for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        if count >= MOST_OPCODES:
            raise RefusedPickleError(f"more than {MOST_OPCODES} opcodes")
        if opcode.name in REFUSED_OPCODES:
            raise RefusedPickleError(f"the opcode {opcode.name}")
        if opcode.name in MEMO_OPCODES and not 0 <= int(str(argument)) <= MOST_OPCODES:
            raise RefusedPickleError(f"the memo index {argument}")


def evaluate(value: Any, depth: int) -> np.ndarray:
    """The plain array that a stub stands for."""
    if depth > DEEPEST:
        raise RefusedPickleError("arrays nested too deeply")
    if isinstance(value, StoredArray):
        return _dense_array(value)
    if isinstance(value, StoredValue):
        return evaluate(_attributes(value, "x")[0], depth + 1)
    if isinstance(value, StoredSelection):
        return _selected(value, depth)
    if isinstance(value, StoredSparse):
        return _dense_from_columns(value, depth)
    if isinstance(value, StoredNumber):
        return _number(value)
    if type(value) in (bool, int, float):
        return np.array(value)
    if isinstance(value, (list, tuple)) and value:
        return _stacked(value, depth)
    raise RefusedPickleError(f"an entry of kind {type(value).__name__} where an array belongs")


def _attributes(stub: Stored, *names: str) -> list[Any]:
    """Attributes out of an instance's pickled dictionary."""
    if not isinstance(stub.state, dict) or any(name not in stub.state for name in names):
        raise RefusedPickleError(f"a {type(stub).__name__} without {', '.join(names)}")
    return [stub.state[name] for name in names]


def _shape(value: Any, most_axes: int) -> tuple[int, ...]:
    """A tuple of sizes, checked."""
    plain = tuple(value) if isinstance(value, (tuple, list)) else ()
    if not 1 <= len(plain) <= most_axes or any(type(size) is not int or size < 0 for size in plain):
        raise RefusedPickleError("an array shape that is not a tuple of sizes")
    entries = 1
    for size in plain:
        entries *= size
    if entries > MOST_ENTRIES:
        raise RefusedPickleError(f"an array of {entries} entries")
    return plain


def _dense_array(stub: StoredArray) -> np.ndarray:
    """An array from (version, shape, dtype, column order, raw bytes)."""
    if not isinstance(stub.state, tuple) or len(stub.state) != 5:
        raise RefusedPickleError("an array without its state")
    _, sizes, kind, by_columns, raw = stub.state
    if isinstance(raw, str):
        raw = raw.encode("latin1")
    shape, dtype = _shape(sizes, 4), _number_type(kind)
    if not isinstance(raw, bytes) or len(raw) != int(np.prod(shape)) * dtype.itemsize:
        raise RefusedPickleError("an array whose bytes do not fill its shape")
    if not isinstance(by_columns, (bool, int)):
        raise RefusedPickleError("an array without an order")
    return np.ascontiguousarray(np.frombuffer(raw, dtype).reshape(shape, order="F" if by_columns else "C")).copy()


def _number(stub: StoredNumber) -> np.ndarray:
    """An array without axes from (type, raw bytes)."""
    kind, raw = stub.arguments if len(stub.arguments) == 2 else (None, None)
    dtype = _number_type(kind)
    raw = raw.encode("latin1") if isinstance(raw, str) else raw
    if not isinstance(raw, bytes) or len(raw) != dtype.itemsize:
        raise RefusedPickleError("a number whose bytes do not fill its type")
    return np.frombuffer(raw, dtype)[0].copy()


def _stacked(values: list[Any] | tuple[Any, ...], depth: int) -> np.ndarray:
    """One array of a list of equally shaped arrays or numbers."""
    if len(values) > MOST_ENTRIES:
        raise RefusedPickleError(f"a list of {len(values)} entries")
    parts = [evaluate(value, depth + 1) for value in values]
    if any(np.shape(part) != np.shape(parts[0]) for part in parts):
        raise RefusedPickleError("a list of arrays of different shapes")
    return np.stack(parts)


def _number_type(kind: Any) -> np.dtype:
    """A little-endian number type; no fields, no sub-arrays, no objects."""
    if not isinstance(kind, StoredType) or not kind.arguments or not isinstance(kind.state, tuple) or len(kind.state) < 5:
        raise RefusedPickleError("an array without a plain number type")
    code = kind.arguments[0]
    if code not in NUMBER_CODES or kind.state[1] not in ("<", "|", "=") or any(part is not None for part in kind.state[2:5]):
        raise RefusedPickleError("an array whose entries are not plain little-endian numbers")
    return np.dtype(f"<{code}")


def _selected(stub: StoredSelection, depth: int) -> np.ndarray:
    """a.ravel()[idxs].reshape(preferred_shape), with every index in range."""
    source, indices, sizes = _attributes(stub, "a", "idxs", "preferred_shape")
    values, places = evaluate(source, depth + 1).ravel(), evaluate(indices, depth + 1).ravel()
    plain = evaluate(sizes, depth + 1).tolist() if isinstance(sizes, StoredArray) else sizes
    shape = _shape(plain, 4)
    if places.dtype.kind not in "iu" or not len(places) or places.min() < 0 or places.max() >= len(values):
        raise RefusedPickleError("a selection whose indices are out of range")
    if int(np.prod(shape)) != len(places):
        raise RefusedPickleError("a selection that does not fill its shape")
    return values[places].reshape(shape)


def _dense_from_columns(stub: StoredSparse, depth: int) -> np.ndarray:
    """The dense form of a compressed-column matrix, checked before it is filled."""
    sizes, starts, rows, values = _attributes(stub, "_shape", "indptr", "indices", "data")
    shape = _shape(sizes, 2)
    starts, rows, values = (evaluate(part, depth + 1) for part in (starts, rows, values))
    if len(shape) != 2 or starts.shape != (shape[1] + 1,) or rows.ndim != 1 or rows.shape != values.shape:
        raise RefusedPickleError("a sparse matrix whose parts do not fit")
    if starts.dtype.kind not in "iu" or rows.dtype.kind not in "iu":
        raise RefusedPickleError("a sparse matrix whose indices are not integers")
    starts, rows = starts.astype(np.int64), rows.astype(np.int64)
    if starts[0] != 0 or starts[-1] != len(rows) or (np.diff(starts) < 0).any():
        raise RefusedPickleError("a sparse matrix whose columns do not cover its data")
    if len(rows) and (rows.min() < 0 or rows.max() >= shape[0]):
        raise RefusedPickleError("a sparse matrix whose rows are out of range")
    dense = np.zeros(shape)
    np.add.at(dense, (rows, np.repeat(np.arange(shape[1]), np.diff(starts))), values)
    return dense


def main(source: str, target: str, names: list[str]) -> int:
    """Convert one file under limits on memory, time and file size; the reason of a refusal goes to stderr."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_LIMIT, SECONDS_LIMIT))
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * LARGEST_FILE, 4 * LARGEST_FILE))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    try:
        with Path(source).open("rb") as file:
            arrays = read_arrays(file.read(LARGEST_FILE + 1), tuple(names))
    except RefusedPickleError as refusal:
        sys.stderr.write(str(refusal))
        return REFUSED_STATUS
    np.savez(target, allow_pickle=False, **arrays)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
