"""Small multilayer perceptrons, feature first ([feature, point]), and the exact gradient of a distance network.

Feature-first memory lets the encoding enter without a copy, and keeps every activation contiguous.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

SHARPNESS = 100.0
"""Beta of the softplus: close to ReLU, but twice differentiable, so that normals can be trained."""


class PointLinear(nn.Module):
    """Affine map of feature-first points: weight [out, in], bias [out]; initialised uniformly in +-1/sqrt(in)."""

    def __init__(self, inputs: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter((torch.rand(outputs, inputs, generator=generator) * 2 - 1) * bound)
        self.bias = nn.Parameter((torch.rand(outputs, generator=generator) * 2 - 1) * bound)

    def forward(self, values: Float[Tensor, "input point"]) -> Float[Tensor, "output point"]:
        """weight @ values + bias."""
        return torch.addmm(self.bias[:, None], self.weight, values)


class DistanceNetwork(nn.Module):
    """Softplus network whose first output is a distance, given with its exact gradient to the inputs.

    The gradient is an explicit vector-Jacobian product, W1^T (s1 * W2^T (s2 * w3)) with s the slopes of the activations and w3
    the first row of the last weight; plain first-order autograd of it equals the double backward, at less cost.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, generator: torch.Generator, hidden_layers: int = 1) -> None:
        super().__init__()
        widths = [inputs] + [hidden] * hidden_layers
        self.hidden = nn.ModuleList(PointLinear(a, b, generator) for a, b in zip(widths[:-1], widths[1:]))
        self.last = PointLinear(hidden, outputs, generator)
        with torch.no_grad():
            # The distance starts as the base shape of the field, so the network starts near zero there.
            self.last.weight[0] *= 0.1
            self.last.bias[0] = 0.0

    def forward(
        self, values: Float[Tensor, "input point"], input_scale: Float[Tensor, "input"] | None = None
    ) -> tuple[Float[Tensor, "output point"], Float[Tensor, "input point"]]:
        """Outputs, and the gradient of output 0 to the inputs; each input counts times `input_scale`."""
        weights, biases = self.hidden_layers(input_scale)
        slopes = []
        for weight, bias in zip(weights, biases):
            values, slope = _SoftplusWithSlope.apply(torch.addmm(bias[:, None], weight, values))
            slopes.append(slope)
        vector = slopes[-1] * self.last.weight[0][:, None]
        for weight, slope in zip(reversed(weights[1:]), reversed(slopes[:-1])):
            vector = (weight.t() @ vector) * slope
        return self.last(values), weights[0].t() @ vector

    def distance_alone(
        self, values: Float[Tensor, "input point"], input_scale: Float[Tensor, "input"] | None = None
    ) -> Float[Tensor, "point"]:
        """Output 0 without its gradient to the inputs."""
        for weight, bias in zip(*self.hidden_layers(input_scale)):
            values = torch.nn.functional.softplus(torch.addmm(bias[:, None], weight, values), beta=SHARPNESS)
        return self.last.weight[0] @ values + self.last.bias[0]

    def hidden_layers(self, input_scale: Float[Tensor, "input"] | None) -> tuple[list[Tensor], list[Tensor]]:
        """Weights and biases of the hidden layers; scaling the first weight costs nothing per point."""
        weights: list[Tensor] = [layer.get_parameter("weight") for layer in self.hidden]
        if input_scale is not None:
            weights[0] = weights[0] * input_scale
        return weights, [layer.get_parameter("bias") for layer in self.hidden]


class _SoftplusWithSlope(torch.autograd.Function):
    """softplus_beta(a) = log(1 + exp(beta a)) / beta and its slope sigmoid(beta a), from one exponential."""

    @staticmethod
    def forward(ctx, a):
        decay = torch.exp(a.abs().mul_(-SHARPNESS))
        slope = torch.where(a >= 0, 1.0, decay).div_(1 + decay)
        value = decay.log1p_().div_(SHARPNESS).add_(a.clamp(min=0))
        ctx.save_for_backward(slope)
        return value, slope

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient_value, gradient_slope):
        (slope,) = ctx.saved_tensors
        curvature = torch.addcmul(slope, slope, slope, value=-1.0).mul_(SHARPNESS)
        return curvature.mul_(gradient_slope).addcmul_(gradient_value, slope)


class ColourNetwork(nn.Module):
    """ReLU network of two hidden layers with outputs in (0, 1)."""

    def __init__(self, inputs: int, hidden: int, outputs: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first = PointLinear(inputs, hidden, generator)
        self.second = PointLinear(hidden, hidden, generator)
        self.last = PointLinear(hidden, outputs, generator)

    def forward(self, values: Float[Tensor, "input point"]) -> Float[Tensor, "output point"]:
        """Sigmoid of the last layer."""
        return torch.sigmoid(self.last(torch.relu(self.second(torch.relu(self.first(values))))))
