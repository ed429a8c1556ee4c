"""Samples of rays in the frame of an entity, and its normals in the frame of the camera: numba, with hand-written gradients.

The readable twins are `place_torch.place_samples_torch` and `place_torch.turn_normals_torch`. Near samples come ray by ray, so that one pass
adds what they say about the transform of their ray.
"""

import numba
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from hoifield.fields.block_layers import FAST

LEAST_LENGTH = np.float32(1e-6)


def place_samples_numba(
    T: Float[Tensor, "ray 4 4"], directions: Float[Tensor, "ray 3"], along: Float[Tensor, "near"], ray: Int[Tensor, "near"]
) -> Float[Tensor, "near 3"]:
    """What `place_torch.place_samples` gives."""
    return _PlaceSamples.apply(T, directions, along, ray)


def turn_normals_numba(gradient: Float[Tensor, "near 3"], T: Float[Tensor, "ray 4 4"], ray: Int[Tensor, "near"]) -> Float[Tensor, "near 3"]:
    """What `place_torch.turn_normals` gives."""
    return _TurnNormals.apply(gradient, T, ray)


class _PlaceSamples(torch.autograd.Function):
    @staticmethod
    def forward(ctx, T, directions, along, ray):
        transforms = T.detach().contiguous()
        points = torch.empty(len(ray), 3)
        _place(transforms.numpy(), directions.numpy(), along.numpy(), ray.numpy(), points.numpy())
        ctx.save_for_backward(directions, along, ray)
        return points

    @staticmethod
    @once_differentiable
    def backward(ctx, incoming):
        directions, along, ray = ctx.saved_tensors
        to_transform = torch.zeros(len(directions), 4, 4)
        _place_back(directions.numpy(), along.numpy(), ray.numpy(), incoming.contiguous().numpy(), to_transform.numpy())
        return to_transform, None, None, None


class _TurnNormals(torch.autograd.Function):
    @staticmethod
    def forward(ctx, gradient, T, ray):
        tensors = (gradient.detach().contiguous(), T.detach().contiguous(), ray)
        normals = torch.empty(len(ray), 3)
        _turn(tensors[0].numpy(), tensors[1].numpy(), ray.numpy(), normals.numpy())
        ctx.save_for_backward(*tensors)
        return normals

    @staticmethod
    @once_differentiable
    def backward(ctx, incoming):
        gradient, T, ray = ctx.saved_tensors
        to_gradient, to_transform = torch.empty_like(gradient), torch.zeros_like(T)
        _turn_back(gradient.numpy(), T.numpy(), ray.numpy(), incoming.contiguous().numpy(), to_gradient.numpy(), to_transform.numpy())
        return to_gradient, to_transform, None


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _place(T, directions, along, ray, points):
    for i in range(ray.size):
        r = ray[i]
        x, y, z = directions[r, 0] * along[i], directions[r, 1] * along[i], directions[r, 2] * along[i]
        for a in range(3):
            points[i, a] = T[r, a, 0] * x + T[r, a, 1] * y + T[r, a, 2] * z + T[r, a, 3]


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _place_back(directions, along, ray, incoming, to_transform):
    for i in range(ray.size):
        r = ray[i]
        for a in range(3):
            g = incoming[i, a]
            for b in range(3):
                to_transform[r, a, b] += g * along[i] * directions[r, b]
            to_transform[r, a, 3] += g


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _turn(gradient, T, ray, normals):
    for i in range(ray.size):
        r = ray[i]
        x, y, z = gradient[i, 0], gradient[i, 1], gradient[i, 2]
        length = max(np.sqrt(x * x + y * y + z * z), LEAST_LENGTH)
        for b in range(3):
            normals[i, b] = (T[r, 0, b] * x + T[r, 1, b] * y + T[r, 2, b] * z) / length


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _turn_back(gradient, T, ray, incoming, to_gradient, to_transform):
    for i in range(ray.size):
        r = ray[i]
        x, y, z = gradient[i, 0], gradient[i, 1], gradient[i, 2]
        norm = np.sqrt(x * x + y * y + z * z)
        length = max(norm, LEAST_LENGTH)
        x, y, z = x / length, y / length, z / length
        gx, gy, gz = incoming[i, 0], incoming[i, 1], incoming[i, 2]
        for b in range(3):
            to_transform[r, 0, b] += x * incoming[i, b]
            to_transform[r, 1, b] += y * incoming[i, b]
            to_transform[r, 2, b] += z * incoming[i, b]
        ux = T[r, 0, 0] * gx + T[r, 0, 1] * gy + T[r, 0, 2] * gz
        uy = T[r, 1, 0] * gx + T[r, 1, 1] * gy + T[r, 1, 2] * gz
        uz = T[r, 2, 0] * gx + T[r, 2, 1] * gy + T[r, 2, 2] * gz
        along = ux * x + uy * y + uz * z if norm > LEAST_LENGTH else np.float32(0)
        to_gradient[i, 0] = (ux - along * x) / length
        to_gradient[i, 1] = (uy - along * y) / length
        to_gradient[i, 2] = (uz - along * z) / length
