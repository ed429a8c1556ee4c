"""Pictures between their pixels: exact at centres, linear between them, differentiable."""

import torch

from hoifield.geometry.sample_pictures import sample_pictures


def ramp() -> torch.Tensor:
    """Two pictures of which the first channel is x and the second 10 y, at pixel centres."""
    y, x = torch.meshgrid(torch.arange(6) + 0.5, torch.arange(9) + 0.5, indexing="ij")
    return torch.stack([x, 10 * y]).repeat(2, 1, 1, 1)


def test_a_ramp_is_read_exactly_between_centres_and_its_gradient_is_its_slope():
    places = torch.tensor([[0.5, 0.5], [3.25, 4.75], [8.5, 5.5]]).repeat(2, 1, 1).requires_grad_(True)
    values = sample_pictures(ramp(), places)
    assert torch.allclose(values, places.detach() * torch.tensor([1.0, 10.0]), atol=1e-5)
    values.sum().backward()
    assert places.grad is not None
    assert torch.allclose(places.grad[:, 1], torch.tensor([1.0, 10.0]), atol=1e-4)


def test_the_border_goes_on_outside():
    values = sample_pictures(ramp(), torch.tensor([[-40.0, 3.5], [100.0, 3.5]]).repeat(2, 1, 1))
    assert torch.allclose(values[0], torch.tensor([[0.5, 35.0], [8.5, 35.0]]), atol=1e-4)
