"""MANO-like files for both hands, with and without which sets are read."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "actors"))

from mano_like import mano_like_arrays
from tiny_sets import TinyHand, tiny_hand

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="session")
def mano() -> dict[str, Arrays]:
    """Arrays of a right and of a left hand (the mirror image), with a mean pose and principal components."""
    generator = np.random.default_rng(9)
    right = mano_like_arrays()
    components = np.linalg.qr(generator.normal(size=(45, 45)))[0]
    right |= {"hands_mean": 0.2 * generator.normal(size=45), "hands_components": components}
    mirror, angles = np.array([-1.0, 1.0, 1.0]), np.tile([1.0, -1.0, -1.0], 15)
    left = dict(right)
    left["v_template"], left["shapedirs"] = right["v_template"] * mirror, right["shapedirs"] * mirror[:, None]
    left["posedirs"] = right["posedirs"] * mirror[:, None] * np.tile(np.outer(mirror, mirror).ravel(), 15)
    left["f"], left["hands_mean"], left["hands_components"] = right["f"][:, ::-1], right["hands_mean"] * angles, components * angles
    return {"right": right, "left": left}


@pytest.fixture(scope="session")
def mano_folder(mano: dict[str, Arrays], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mano")
    for side, arrays in mano.items():
        np.savez(folder / f"MANO_{side.upper()}.npz", **arrays)
    return folder


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache folder of this test run, and no MANO unless a test asks for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOIFIELD_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("HOIFIELD_MANO_DIR", raising=False)
        yield


@pytest.fixture
def with_mano(mano_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOIFIELD_MANO_DIR", str(mano_folder))


@pytest.fixture(scope="session")
def right_hand(mano: dict[str, Arrays]) -> TinyHand:
    return tiny_hand(mano["right"], 1)


@pytest.fixture(scope="session")
def left_hand(mano: dict[str, Arrays]) -> TinyHand:
    return tiny_hand(mano["left"], 2)
