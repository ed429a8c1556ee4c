"""A grid of colours: its own table, metres in, the nearest inside for what lies outside."""

import torch

from hoifield.fields.colour_grid import ColourGrid
from hoifield.fields.hash_grid_layout import HashGridLayout

LAYOUT = HashGridLayout(levels=3, table_size=2**8, base_resolution=4, finest_resolution=16)
CENTRE = torch.tensor([0.1, 0.0, -0.2])


def grid(seed: int = 0) -> ColourGrid:
    made = ColourGrid(CENTRE, 0.05, LAYOUT, seed)
    with torch.no_grad():
        made.table.mul_(1e4)
    return made


def test_features_change_within_the_cube_and_stay_beyond_its_side():
    side = CENTRE + torch.tensor([[0.05, 0.01, 0.0], [0.09, 0.01, 0.0], [0.02, 0.01, 0.0]])
    features = grid()(side)
    assert features.shape == (3, LAYOUT.encoded)
    assert torch.equal(features[0], features[1]) and not torch.allclose(features[0], features[2], atol=1e-3)


def test_the_same_seed_gives_the_same_table_and_another_another():
    assert torch.equal(grid().table, grid().table) and not torch.equal(grid().table, grid(1).table)


def test_gradients_reach_the_table_and_the_points():
    points = (CENTRE + 0.03 * torch.rand(20, 3, generator=torch.Generator().manual_seed(0))).requires_grad_()
    made = grid()
    made(points).square().sum().backward()
    assert points.grad is not None and bool((points.grad.abs().sum(-1) > 0).all())
    assert made.table.grad is not None and float(made.table.grad.abs().max()) > 0
