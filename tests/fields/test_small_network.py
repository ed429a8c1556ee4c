"""The explicit gradient of the distance network equals autograd's, in first and second order."""

import pytest
import torch

from hoifield.fields.small_network import SHARPNESS, DistanceNetwork, _SoftplusWithSlope


@pytest.mark.parametrize("hidden_layers", [1, 3])
def test_gradient_and_its_training_equal_the_double_backward(hidden_layers):
    network = DistanceNetwork(6, 16, 4, torch.Generator().manual_seed(0), hidden_layers).double()
    values = (torch.randn(6, 50, generator=torch.Generator().manual_seed(1)) * 0.05).double().requires_grad_()
    outputs, gradient = network(values)
    (expected,) = torch.autograd.grad(outputs[0].sum(), values, create_graph=True)
    torch.testing.assert_close(gradient, expected)
    parameters = [*network.parameters(), values]
    explicit = torch.autograd.grad(gradient.square().sum() + outputs.square().sum(), parameters, retain_graph=True)
    plain = values
    for layer in network.hidden:
        plain = torch.nn.functional.softplus(layer(plain), beta=SHARPNESS)
    plain = network.last(plain)
    (slope,) = torch.autograd.grad(plain[0].sum(), values, create_graph=True)
    double = torch.autograd.grad(slope.square().sum() + plain.square().sum(), parameters)
    for one, two in zip(explicit, double):
        torch.testing.assert_close(one, two, atol=1e-9, rtol=1e-7)


def test_the_distance_alone_equals_the_first_output():
    network = DistanceNetwork(6, 16, 4, torch.Generator().manual_seed(0))
    values = torch.randn(6, 50, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(network.distance_alone(values), network(values)[0][0])


def test_softplus_and_slope_stay_finite_and_exact_far_from_zero():
    a = torch.tensor([-1e4, -1.0, -1e-3, 0.0, 1e-3, 1.0, 1e4], dtype=torch.float64)
    value, slope = _SoftplusWithSlope.apply(a)
    torch.testing.assert_close(value, torch.nn.functional.softplus(a, beta=SHARPNESS, threshold=700))
    torch.testing.assert_close(slope, torch.sigmoid(SHARPNESS * a))
