"""Rows of the table belong to one level each, and dense levels never collide."""

import pytest
import torch

from hoifield.errors import ConfigurationError
from hoifield.fields.encode_torch import _corner_rows
from hoifield.fields.hash_grid_layout import HashGridLayout


def test_levels_own_adjoining_rows_from_base_to_finest_resolution():
    layout = HashGridLayout(levels=16, table_size=2**19, base_resolution=16, finest_resolution=2048)
    shapes = layout.level_shapes
    assert layout.entries == 6119864  # the published grid
    assert [shape.side for shape in shapes[:5]][0] == 17 and shapes[-1].scale == 2047
    assert sum(shape.dense for shape in shapes) == 5
    for before, after in zip(shapes[:-1], shapes[1:]):
        assert after.offset == before.offset + before.size


def test_a_dense_level_gives_every_vertex_its_own_row():
    shape = HashGridLayout(levels=1, table_size=2**12, base_resolution=8, finest_resolution=8).level_shapes[0]
    axis = torch.arange(shape.side)
    rows = _corner_rows(torch.cartesian_prod(axis, axis, axis), shape)[:, 0]
    assert len(rows.unique()) == shape.side**3 and int(rows.max()) < shape.size


def test_hashed_rows_stay_within_their_level():
    layout = HashGridLayout()
    for shape in layout.level_shapes:
        cell = torch.randint(0, shape.side - 1, (2000, 3), generator=torch.Generator().manual_seed(0))
        rows = _corner_rows(cell, shape)
        assert int(rows.min()) >= shape.offset and int(rows.max()) < shape.offset + shape.size


@pytest.mark.parametrize("arguments", [{"table_size": 1000}, {"levels": 0}, {"finest_resolution": 8}])
def test_an_impossible_grid_is_refused(arguments):
    with pytest.raises(ConfigurationError):
        HashGridLayout(**arguments)
