"""The default encoding beside one written by hand in C++ (encode.cpp), in turns in one process: features, Jacobian and table gradient.

    python experiments/03_engine/compare_encode.py [--pairs 15]

Needs g++. The C++ fills arrays that are allocated once. The default back end allocates them in every call, as the fit does; its kernels alone
fill kept arrays, like the C++.
"""

import argparse
import ctypes
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import hoifield  # noqa: F401  (before torch: it sets how threads wait)

# isort: split
import numpy as np
import torch

from hoifield.benchmark.paired_times import PairedTimes, seconds_of
from hoifield.benchmark.speed_kernels import WIDE_LAYOUT, encode_work
from hoifield.fields import encode_numba
from hoifield.fields.encode import encode
from hoifield.fields.hash_grid_layout import HashGridLayout
from hoifield.scene.initialise import SceneConfig

POINTS = 2**18


def build_library(folder: Path) -> ctypes.CDLL:
    """The compiled C++."""
    source, target = Path(__file__).with_name("encode.cpp"), folder / "encode.so"
    subprocess.run(["g++", "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC", str(source), "-o", str(target)], check=True)
    return ctypes.CDLL(str(target))


def address(array: np.ndarray) -> ctypes.c_void_p:
    """Where an array begins."""
    return ctypes.c_void_p(array.ctypes.data)


def written_by_hand(library: ctypes.CDLL, layout: HashGridLayout) -> tuple[Callable[[], None], np.ndarray, np.ndarray]:
    """The same work on the same numbers as `encode_work`, and the arrays it fills: four rows a feature, and the table's gradient."""
    given, rows, gradients = encode_material(POINTS, layout, torch.device("cpu"))
    positions, table, incoming = given.t().contiguous().numpy(), rows.numpy(), gradients.numpy()
    scale, side, dense, mask, offset = encode_numba.level_arrays(layout)
    levels = np.zeros(layout.levels, [("scale", "f4"), ("side", "u4"), ("dense", "u4"), ("mask", "u4"), ("offset", "u4")])
    for name, values in zip(levels.dtype.names or (), (scale, side, dense, mask, offset), strict=True):
        levels[name] = values
    out, gradient = np.empty((4, layout.encoded, POINTS), np.float32), np.empty_like(table)
    count, points = ctypes.c_int(layout.levels), ctypes.c_long(POINTS)

    def work() -> None:
        library.encode_forward(address(positions), address(table), address(levels), count, points, address(out))
        gradient.fill(0.0)
        library.encode_backward(address(positions), address(levels), count, points, address(incoming), address(gradient))

    return work, out, gradient


def kernels_alone(layout: HashGridLayout) -> Callable[[], None]:
    """The default back end's kernels on the same numbers, into arrays that are kept."""
    given, rows, gradients = encode_material(POINTS, layout, torch.device("cpu"))
    positions, table, incoming = given.t().contiguous().numpy().reshape(-1), rows.numpy().reshape(-1), gradients.numpy().reshape(4, -1)
    features, jacobian = np.empty(layout.encoded * POINTS, np.float32), np.empty(3 * layout.encoded * POINTS, np.float32)
    gradient, levels = np.empty_like(table), encode_numba.level_arrays(layout)

    def work() -> None:
        encode_numba.match_threads()
        encode_numba._forward(positions, table, *levels, layout.features, features, jacobian, True)
        gradient.fill(0.0)
        encode_numba._backward_table(positions, *levels, layout.features, incoming[0], incoming[1:].reshape(-1), True, gradient)

    return work


def difference(layout: HashGridLayout, out: np.ndarray, gradient: np.ndarray) -> float:
    """Largest relative difference of features, Jacobian and table gradient from the default back end's."""
    positions, table, incoming = encode_material(POINTS, layout, torch.device("cpu"))
    found = encode(positions, table.requires_grad_(), layout)
    (to_table,) = torch.autograd.grad((found.features, found.jacobian), table, (incoming[0].t(), incoming[1:].permute(2, 1, 0)))
    expected = (found.features.t(), found.jacobian.permute(2, 1, 0), to_table)
    pairs = zip((out[0], out[1:], gradient), expected, strict=True)
    return max(float(np.linalg.norm(mine - theirs.detach().numpy()) / np.linalg.norm(mine)) for mine, theirs in pairs)


def main() -> None:
    """Prints a line for each layout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15)
    pairs = parser.parse_args().pairs
    draft = SceneConfig()
    narrow = HashGridLayout(draft.levels, table_size=draft.table_size, finest_resolution=draft.finest_resolution)
    with tempfile.TemporaryDirectory() as folder:
        library = build_library(Path(folder))
        for layout in (narrow, WIDE_LAYOUT):
            by_hand, out, gradient = written_by_hand(library, layout)
            by_hand()
            apart = difference(layout, out, gradient)
            for name, other in (("default", encode_work(POINTS, layout, torch.device("cpu"))), ("its kernels alone", kernels_alone(layout))):
                other()
                times = PairedTimes(*zip(*((seconds_of(by_hand), seconds_of(other)) for _ in range(pairs)), strict=True))
                found = times.as_json()
                sys.stdout.write(
                    f"{layout.levels} levels, {torch.get_num_threads()} threads: C++ {found['default_ms']:.1f} ms, {name} {found['reference_ms']:.1f} ms; "
                    f"ratio {found['speedup']:.2f} ({found['speedup_least']:.2f} to {found['speedup_most']:.2f}, {pairs} pairs); apart by {apart:.0e}\n"
                )


if __name__ == "__main__":
    main()
