"""Samples of rays in the frame of an entity, and normals in that of the camera: plain PyTorch, the readable reference, on any device."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hoifield.geometry.plain_reference import kernels_serve
from hoifield.renderer.place_numba import place_samples_numba, turn_normals_numba


def place_samples(
    T: Float[Tensor, "ray 4 4"], directions: Float[Tensor, "ray 3"], along: Float[Tensor, "near"], ray: Int[Tensor, "near"]
) -> Float[Tensor, "near 3"]:
    """Points at distances `along` of camera rays, in the entity's frame, for T = T_entity_camera; differentiable to T alone."""
    engine = place_samples_numba if kernels_serve(T) and T.dtype == torch.float32 else place_samples_torch
    return engine(T, directions, along, ray)


def turn_normals(gradient: Float[Tensor, "near 3"], T: Float[Tensor, "ray 4 4"], ray: Int[Tensor, "near"]) -> Float[Tensor, "near 3"]:
    """Unit vectors along gradients of the entity's frame, in the camera's frame, for T = T_entity_camera."""
    engine = turn_normals_numba if kernels_serve(T) and T.dtype == torch.float32 else turn_normals_torch
    return engine(gradient, T, ray)


def place_samples_torch(
    T: Float[Tensor, "ray 4 4"], directions: Float[Tensor, "ray 3"], along: Float[Tensor, "near"], ray: Int[Tensor, "near"]
) -> Float[Tensor, "near 3"]:
    """What `place_samples` gives."""
    chosen = T[ray]
    return (chosen[:, :3, :3] @ (directions[ray] * along[:, None])[..., None])[..., 0] + chosen[:, :3, 3]


def turn_normals_torch(gradient: Float[Tensor, "near 3"], T: Float[Tensor, "ray 4 4"], ray: Int[Tensor, "near"]) -> Float[Tensor, "near 3"]:
    """What `turn_normals` gives."""
    unit = torch.nn.functional.normalize(gradient, dim=-1, eps=1e-6)
    return (T[ray][:, :3, :3].transpose(1, 2) @ unit[..., None])[..., 0]
