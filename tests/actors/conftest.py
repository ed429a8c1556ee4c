"""Hands for the tests: the built-in one, and a file of MANO's shapes that holds no hand of MANO's."""

import pickle
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from hoifield.actors.anny_actor import load_anny_hand
from hoifield.actors.skinned_model import JOINT_PARENTS, SkinnedModel
from hoifield.errors import MissingDependency

RINGS, SIDES = 48, 16


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder of this test run."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOIFIELD_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def right_hand(cache: Path) -> SkinnedModel:
    """The built-in right hand."""
    try:
        return load_anny_hand("right")
    except MissingDependency as missing:
        pytest.skip(missing.cause)


@pytest.fixture(scope="session")
def left_hand(right_hand: SkinnedModel) -> SkinnedModel:
    """The built-in left hand."""
    return load_anny_hand("left")


@pytest.fixture(scope="session")
def mano_arrays() -> dict[str, np.ndarray]:
    """Arrays of MANO's shapes on a sack open at the wrist: 48 rings of 16, an apex and nine split faces."""
    generator = np.random.default_rng(5)
    rings = np.arange(RINGS)
    angle = 2.0 * np.pi * np.arange(SIDES) / SIDES
    x = np.repeat(0.09 - 0.19 * rings / RINGS, SIDES)
    radius = np.repeat(np.sqrt(1.0 - (rings / RINGS) ** 2), SIDES)
    tube = np.stack([x, 0.015 * radius * np.tile(np.cos(angle), RINGS), 0.04 * radius * np.tile(np.sin(angle), RINGS)], axis=1)
    near = (np.arange(RINGS - 1)[:, None] * SIDES + np.arange(SIDES)).ravel()
    beside = (np.arange(RINGS - 1)[:, None] * SIDES + (np.arange(SIDES) + 1) % SIDES).ravel()
    far, far_beside = near + SIDES, beside + SIDES
    last = (RINGS - 1) * SIDES + np.arange(SIDES)
    apex = np.full(SIDES, RINGS * SIDES)
    faces = np.concatenate(
        [
            np.stack([near, far, beside], axis=1),
            np.stack([beside, far, far_beside], axis=1),
            np.stack([last, apex, np.roll(last, -1)], axis=1),
        ]
    )
    vertices = np.concatenate([tube, [[-0.1, 0.0, 0.0]]])
    for face in range(0, 270, 30):
        a, b, c = faces[face]
        centre = len(vertices)
        vertices = np.concatenate([vertices, vertices[[a, b, c]].mean(0, keepdims=True)])
        faces[face] = a, b, centre
        faces = np.concatenate([faces, [[b, c, centre], [c, a, centre]]])
    regressor = np.zeros((16, 778))
    regressor[0, :SIDES] = 1.0 / SIDES
    for chain in range(5):
        for k in range(3):
            members = (12 + 8 * k) * SIDES + (np.arange(3) + 3 * chain) % SIDES
            regressor[3 * chain + k + 1, members] = 1.0 / 3.0
    parents = np.array([2**32 - 1, *JOINT_PARENTS[1:]], dtype=np.int64)
    return {
        "v_template": vertices,
        "f": faces.astype(np.uint32),
        "shapedirs": 0.003 * generator.normal(size=(778, 3, 10)),
        "posedirs": 0.001 * generator.normal(size=(778, 3, 135)),
        "weights": generator.dirichlet(np.full(16, 0.2), size=778),
        "J_regressor": regressor,
        "kintree_table": np.stack([parents, np.arange(16)]),
    }


@pytest.fixture(scope="session")
def pickle_mano() -> Callable[[dict[str, np.ndarray], int], bytes]:
    """Pickles arrays as MANO's authors did, with chumpy and scipy.sparse classes that exist only while writing."""
    return _pickled


def _pickled(arrays: dict[str, np.ndarray], protocol: int) -> bytes:
    shaped = arrays["shapedirs"]
    wide = np.concatenate([shaped, shaped], axis=2)
    indices = np.arange(wide.size).reshape(wide.shape)[:, :, : shaped.shape[2]].ravel()
    regressor = arrays["J_regressor"]
    columns, rows = np.nonzero(regressor.T)
    starts = np.searchsorted(columns, np.arange(regressor.shape[1] + 1)).astype(np.int32)
    kinds = {("chumpy.ch", "Ch"): None, ("chumpy.reordering", "Select"): None, ("scipy.sparse.csc", "csc_matrix"): None}
    with pytest.MonkeyPatch.context() as patch:
        for module, name in kinds:
            kinds[module, name] = type(name, (), {"__module__": module})
            for depth in range(1, module.count(".") + 2):
                part = ".".join(module.split(".")[:depth])
                patch.setitem(sys.modules, part, types.ModuleType(part))
            setattr(sys.modules[module], name, kinds[module, name])
        value, select, sparse = (kind() for kind in kinds.values())
        value.__dict__.update(x=wide, _dirty_vars={"x"})
        select.__dict__.update(a=value, idxs=indices, preferred_shape=shaped.shape)
        sparse.__dict__.update(_shape=regressor.shape, indptr=starts, indices=rows.astype(np.int32), data=regressor[rows, columns])
        return pickle.dumps({**arrays, "shapedirs": select, "J_regressor": sparse, "bs_style": "lbs"}, protocol=protocol)
