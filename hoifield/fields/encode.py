"""Hash-grid encoding of points: one contract, and the choice of the back end behind it."""

import os
import shutil
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Literal, assert_never

import torch
from jaxtyping import Float
from torch import Tensor

from hoifield.errors import ConfigurationError, InternalError
from hoifield.fields.encode_numba import encode_numba
from hoifield.fields.encode_torch import encode_torch
from hoifield.fields.hash_grid_layout import HashGridLayout
from hoifield.geometry.plain_reference import reference_is_asked

Engine = Literal["torch", "numba", "triton"]
Backend = Literal["auto"] | Engine


@dataclass(frozen=True)
class Encoding:
    """Encoded points. Both are views of feature-first memory: `.t()` and `.permute(2, 1, 0)` give it back without a copy."""

    features: Float[Tensor, "point encoded"]
    jacobian: Float[Tensor, "point encoded 3"]
    """d features / d point."""


def encode(
    points: Float[Tensor, "point 3"], table: Float[Tensor, "entry feature"], layout: HashGridLayout, backend: Backend = "auto"
) -> Encoding:
    """Features of points and their exact Jacobian, differentiable to the table and to the points through both.

    `points` are in [0, 1] of the grid's cube; a coordinate outside is clamped to the cube (the Jacobian is then that of the
    clamped point, and no gradient flows to that coordinate). Trilinear interpolation in a multiresolution hash grid
    (Mueller et al. 2022). Raises InternalError for positions that are not finite: kernels would read foreign memory.
    """
    features, jacobian = _run(_admit(points), table, layout, choose_engine(backend, points), True)
    return Encoding(features.t(), jacobian.permute(2, 1, 0))


def encode_features(
    points: Float[Tensor, "point 3"], table: Float[Tensor, "entry feature"], layout: HashGridLayout, backend: Backend = "auto"
) -> Float[Tensor, "point encoded"]:
    """Features alone, as in `encode`: cheaper where no normal is needed."""
    features, _ = _run(_admit(points), table, layout, choose_engine(backend, points), False)
    return features.t()


def choose_engine(backend: Backend, points: Float[Tensor, "point 3"]) -> Engine:
    """The engine that will run: for float32 numba on the CPU and Triton on CUDA where it is installed, plain PyTorch for everything else.

    Raises ConfigurationError (HF-FLD-003) for an engine that was named and cannot serve these points.
    """
    match backend:
        case "auto":
            if reference_is_asked():
                return "torch"
            return "numba" if _serves_numba(points) else "triton" if points.is_cuda and _serves_triton(points) else "torch"
        case "torch":
            return "torch"
        case "numba":
            if not _serves_numba(points):
                cause = f"the numba back end takes float32 on the CPU, not {points.dtype} on {points.device}."
                raise ConfigurationError("HF-FLD-003", cause, "Use back end 'auto'.")
            return "numba"
        case "triton":
            if not _serves_triton(points):
                cause = f"the Triton back end takes float32 on CUDA where triton is installed, not {points.dtype} on {points.device}."
                raise ConfigurationError("HF-FLD-003", cause, "Use back end 'auto'.")
            return "triton"
        case _:
            assert_never(backend)


def _serves_numba(points: Float[Tensor, "point 3"]) -> bool:
    return points.device.type == "cpu" and points.dtype == torch.float32


def _serves_triton(points: Float[Tensor, "point 3"]) -> bool:
    """Triton's interpreter serves the CPU as well."""
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    return (points.is_cuda and _triton_can_launch() or interpreted) and points.dtype == torch.float32 and find_spec("triton") is not None


@cache
def _triton_can_launch() -> bool:
    """Triton compiles what launches its kernels with the machine's C compiler, when it first runs."""
    named = os.environ.get("CC")
    return any(shutil.which(name) for name in (("gcc", "clang") if named is None else (named,)))


def _run(
    points: Float[Tensor, "point 3"], table: Float[Tensor, "entry feature"], layout: HashGridLayout, engine: Engine, with_jacobian: bool
) -> tuple[Float[Tensor, "encoded point"], Float[Tensor, "axis encoded point"]]:
    assert table.shape == (layout.entries, layout.features), (tuple(table.shape), layout)
    match engine:
        case "torch":
            return encode_torch(points, table, layout)
        case "numba":
            return encode_numba(points, table, layout, with_jacobian)
        case "triton":
            from hoifield.fields.encode_triton import encode_triton

            return encode_triton(points, table, layout, with_jacobian)
        case _:
            assert_never(engine)


def require_finite(points: Float[Tensor, "point 3"]) -> None:
    """Raises InternalError (HF-FLD-004) for positions that are not finite: kernels would read foreign memory."""
    finite = torch.isfinite(points.detach())
    if not bool(finite.all()):
        lost = int((~finite).any(dim=-1).sum())
        raise InternalError(
            "HF-FLD-004",
            f"{lost} of {len(points)} positions given to a field are not finite.",
            "Report this with the clip; a smaller learning rate of the poses usually avoids it.",
        )


def _admit(points: Float[Tensor, "point 3"]) -> Float[Tensor, "point 3"]:
    """The points, all finite and inside the unit cube."""
    require_finite(points)
    return points.clamp(0.0, 1.0)
