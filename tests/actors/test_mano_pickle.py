"""The reader of plain pickles returns a MANO file's arrays, refuses everything else with one exception, and executes nothing."""

import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hoifield.actors.mano_file import NEEDED_ARRAYS
from hoifield.plain_pickle import RefusedPickleError, read_arrays

Arrays = dict[str, np.ndarray]
Pickler = Callable[[Arrays, int], bytes]


def read_mano_pickle(content: bytes) -> Arrays:
    return read_arrays(content, NEEDED_ARRAYS)


class Call:
    """Pickles as a call of `module.name(*arguments)`."""

    def __init__(self, module: str, name: str, *arguments: Any) -> None:
        self.module, self.name, self.arguments = module, name, arguments

    def written(self, protocol: int) -> bytes:
        """The stream: the name, its arguments, REDUCE, inside a dictionary under a MANO key."""
        body = pickle.dumps(self.arguments, protocol=min(protocol, 3))
        start = 2 if protocol >= 2 else 0
        key = b"(" + b"X" + struct.pack("<I", 10) + b"v_template"
        header = b"\x80" + bytes([protocol]) if protocol >= 2 else b""
        if protocol >= 4:
            parts = [b"\x8c" + bytes([len(part)]) + part.encode() for part in (self.module, self.name)]
            name = parts[0] + parts[1] + b"\x93"
        else:
            name = f"c{self.module}\n{self.name}\n".encode()
        return header + key + name + body[start:-1] + b"Rd."


def attacks(canary: Path) -> list[Call]:
    """Calls that would leave a file, open something or end the process."""
    text = str(canary)
    code = f"open({text!r}, 'w').close()"
    return [
        Call("os", "system", f"touch {text}"),
        Call("posix", "system", f"touch {text}"),
        Call("os", "mkdir", text),
        Call("os", "kill", 0, 0),
        Call("subprocess", "check_output", ["touch", text]),
        Call("builtins", "eval", code),
        Call("__builtin__", "eval", code),
        Call("builtins", "exec", code),
        Call("builtins", "open", text, "w"),
        Call("builtins", "__import__", "antigravity"),
        Call("builtins", "getattr", "x", "__class__"),
        Call("builtins", "map", len, ["x"]),
        Call("io", "open", text, "w"),
        Call("pathlib", "Path", text),
        Call("functools", "partial", print, "x"),
        Call("operator", "methodcaller", "upper"),
        Call("runpy", "run_path", text),
        Call("timeit", "timeit", code),
        Call("ctypes", "CDLL", text),
        Call("webbrowser", "open", "about:blank"),
        Call("importlib", "import_module", "this"),
        Call("numpy", "save", text, [1]),
        Call("numpy", "load", text),
        Call("numpy", "fromfile", text),
        Call("numpy.testing._private.utils", "runstring", code, {}),
        Call("numpy", "ndarray.tofile", text),
        Call("scipy.sparse", "load_npz", text),
        Call("chumpy.ch", "os.system", f"touch {text}"),
        Call("pickle", "loads", b"cos\nsystem\n(S'true'\ntR."),
        Call("socket", "create_connection", ("127.0.0.1", 9)),
    ]


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_a_mano_file_reads_back_exactly(mano_arrays: Arrays, pickle_mano: Pickler, protocol: int) -> None:
    read = read_mano_pickle(pickle_mano(mano_arrays, protocol))
    assert set(read) == set(NEEDED_ARRAYS)
    for name in NEEDED_ARRAYS:
        assert np.array_equal(read[name], mano_arrays[name]), name


@pytest.mark.parametrize("protocol", range(6))
def test_no_attack_executes(tmp_path: Path, protocol: int) -> None:
    canary = tmp_path / "canary"
    for attack in attacks(canary):
        with pytest.raises(RefusedPickleError, match=r"which plain data does not need"):
            read_mano_pickle(attack.written(protocol))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("protocol", range(6))
def test_the_attacks_are_real(tmp_path: Path, protocol: int) -> None:
    canary = tmp_path / "canary"
    by_mkdir = next(attack for attack in attacks(canary) if attack.name == "mkdir")
    pickle.loads(by_mkdir.written(protocol))
    assert canary.is_dir()


def written_with(entry: bytes) -> bytes:
    """A protocol-2 dictionary with every needed key, all holding the same entry."""
    keys = b"".join(b"X" + struct.pack("<I", len(name)) + name.encode() + entry for name in NEEDED_ARRAYS)
    return b"\x80\x02(" + keys + b"d."


def instance(module: str, name: str, arguments: bytes, state: bytes) -> bytes:
    """Opcodes of `name(*arguments)` followed by BUILD with a state."""
    return f"c{module}\n{name}\n".encode() + b"(" + arguments + b"tR" + state + b"b"


def small_array(code: str, shape: tuple[int, ...], raw: bytes, fields: bytes = b"NNN") -> bytes:
    """Opcodes of an array; `fields` are the sub-type, names and fields of its number type."""
    kind = instance(
        "numpy",
        "dtype",
        pickle.dumps(code, 2)[2:-1] + b"K\x00K\x01",
        b"(K\x03X\x01\x00\x00\x00<" + fields + b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t",
    )
    sizes = pickle.dumps(shape, 2)[2:-1]
    content = pickle.dumps(raw.decode("latin1"), 2)[2:-1]
    empty = b"cnumpy\nndarray\nK\x00\x85X\x01\x00\x00\x00b"
    return instance("numpy.core.multiarray", "_reconstruct", empty, b"(K\x01" + sizes + kind + b"\x89" + content + b"t")


def sparse(shape: tuple[int, int], starts: list[int], rows: list[int]) -> bytes:
    """Opcodes of a compressed-column matrix."""
    parts = {"indptr": np.array(starts, "<i4"), "indices": np.array(rows, "<i4")}
    entries = b"".join(pickle.dumps(name, 2)[2:-1] + small_array("i4", array.shape, array.tobytes()) for name, array in parts.items())
    values = b"X\x04\x00\x00\x00data" + small_array("f8", (len(rows),), np.ones(len(rows)).tobytes())
    return instance(
        "scipy.sparse.csc", "csc_matrix", b"", b"(X\x06\x00\x00\x00_shape" + pickle.dumps(shape, 2)[2:-1] + entries + values + b"d"
    )


def test_the_hand_made_opcodes_are_sound() -> None:
    read = read_mano_pickle(written_with(small_array("f8", (2, 1), np.array([1.5, -2.0]).tobytes())))
    assert np.array_equal(read["weights"], [[1.5], [-2.0]])
    assert np.array_equal(read_mano_pickle(written_with(sparse((3, 2), [0, 1, 2], [2, 0])))["f"], [[0, 1], [0, 0], [1, 0]])


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (sparse((3, 2), [0, 1, 2], [2, 9_999_999]), "rows are out of range"),
        (sparse((3, 2), [0, 1, 2], [2, -1]), "rows are out of range"),
        (sparse((3, 2), [0, 2, 1], [2, 0]), "do not cover"),
        (sparse((3, 2), [0, 9, 2], [2, 0]), "do not cover"),
        (sparse((100_000, 100_000), [0, 1, 2], [2, 0]), "entries"),
        (small_array("O8", (1,), b"\xff" * 8), "plain little-endian numbers"),
        (small_array("V8", (1,), b"\xff" * 8), "plain little-endian numbers"),
        (small_array("f8", (1,), b"\x00" * 8, fields=b"N(X\x01\x00\x00\x00at}"), "plain little-endian numbers"),
        (small_array("f8", (2,), b"\x00" * 8), "do not fill"),
        (small_array("f8", (2**40,), b""), "entries"),
        (small_array("f8", (-1,), b""), "tuple of sizes"),
        (b"cnumpy\nndarray\n", "where an array belongs"),
        (b"N", "where an array belongs"),
        (b"cchumpy.ch\nCh\n(tR}X\x01\x00\x00\x00xNsb", "where an array belongs"),
    ],
)
def test_damaging_contents_are_refused(entry: bytes, reason: str) -> None:
    with pytest.raises(RefusedPickleError, match=reason):
        read_mano_pickle(written_with(entry))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a pickle",
        b"\x80\x02].",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**32) + b".",
        b"\x80\x02Nr\xff\xff\xff\x7f.",
        b"\x80\x02" + b"(" * 300_000 + b".",
        b"\x80\x02P1\n.",
        b"\x80\x02\x82\x01.",
        b"\x80\x02cbuiltins\nobject\n}X\x0b\x00\x00\x00__setstate__Nsb.",
        b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
        b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00xX\x03\x00\x00\x00hex\x86R.",
    ],
)
def test_malformed_streams_are_refused(content: bytes) -> None:
    with pytest.raises(RefusedPickleError):
        read_mano_pickle(content)


def test_only_one_exception_leaves_the_reader_under_mutation() -> None:
    generator = np.random.default_rng(11)
    original = np.frombuffer(written_with(sparse((3, 2), [0, 1, 2], [2, 0])), dtype=np.uint8)
    accepted = 0
    for _ in range(4000):
        mutant = original.copy()
        places = generator.integers(0, len(mutant), generator.integers(1, 5))
        mutant[places] = generator.integers(0, 256, len(places))
        content = mutant.tobytes()
        if generator.random() < 0.3:
            cut = generator.integers(0, len(content))
            content = content[:cut] + content[cut + generator.integers(1, 40) :]
        try:
            arrays = read_mano_pickle(content)
        except RefusedPickleError:
            continue
        accepted += 1
        assert all(array.dtype.kind in "fiub" for array in arrays.values())
    assert accepted < 1000
