"""Hands for the tests: the built-in one, and a file of MANO's shapes that holds no hand of MANO's."""

import pickle
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from mano_like import mano_like_arrays

from hoifield.actors.anny_actor import load_anny_hand
from hoifield.actors.skinned_model import SkinnedModel
from hoifield.errors import MissingDependency


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
    return mano_like_arrays()


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
