"""The background learns a picture that changes with the frame, and lies beyond its sphere."""

import torch

from hoifield.fields.radiance_field import BackgroundField


def _rays(count, seed):
    directions = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))
    return torch.zeros(count, 3), directions / directions.norm(dim=-1, keepdim=True)


def test_samples_lie_beyond_the_sphere_in_order_and_inside_the_grid():
    field = BackgroundField(torch.tensor([0.0, 0.0, 0.2]), 0.8)
    points = (field._shell_points(*_rays(200, 0)) - 0.5) * 4
    shell = points.norm(dim=-1)
    assert float(shell.min()) > 1 and float(shell.max()) < 2
    assert bool((shell.diff(dim=-1) > 0).all())


def test_an_origin_outside_the_sphere_gives_finite_colours():
    origins, directions = _rays(100, 0)
    field = BackgroundField(torch.zeros(3), 0.5)
    assert bool(field.query(origins + 3.0, directions, torch.zeros(100, 8)).isfinite().all())


def test_colours_of_one_colour_network_are_that_colour_whatever_the_opacity():
    field = BackgroundField(torch.zeros(3), 1.0)
    with torch.no_grad():
        field.colour_network.last.weight.zero_()
        field.colour_network.last.bias.copy_(torch.tensor([0.0, 2.0, -2.0]))
    colour = field.query(*_rays(50, 1), torch.randn(50, 8))
    torch.testing.assert_close(colour, torch.sigmoid(torch.tensor([0.0, 2.0, -2.0])).expand(50, 3))


def test_a_background_that_changes_with_the_frame_is_learned():
    field = BackgroundField(torch.zeros(3), 1.0)
    codes = torch.nn.Parameter(torch.randn(2, 8, generator=torch.Generator().manual_seed(0)) * 0.1)
    optimiser = torch.optim.Adam([{"params": [field.table], "lr": 1e-2}, {"params": [*field.opacity_layer.parameters(),
                                  *field.colour_network.parameters(), codes], "lr": 5e-3}])  # fmt: skip

    def step(seed, train):
        origins, directions = _rays(512, seed)
        frame = torch.arange(512) % 2
        truth = 0.5 + 0.3 * torch.sin(3 * directions) + 0.15 * (frame[:, None] * 2 - 1)
        error = (field.query(origins, directions, codes[frame]) - truth).abs().mean()
        if train:
            optimiser.zero_grad()
            error.backward()
            optimiser.step()
        return float(error)

    before = step(999, False)
    for k in range(150):
        step(k, True)
    assert step(999, False) < 0.03 < before
