"""Hash-grid encoding of points: one contract, and the choice of the back end behind it.

A CUDA back end takes its seat here: one more member of `Engine`, one more branch in `_run`, and the same tests.
"""

from dataclasses import dataclass
from typing import Literal, assert_never

import torch
from jaxtyping import Float
from torch import Tensor

from hoifield.errors import ConfigurationError, InternalError
from hoifield.fields.encode_numba import encode_numba
from hoifield.fields.encode_torch import encode_torch
from hoifield.fields.hash_grid_layout import HashGridLayout
from hoifield.geometry.plain_reference import kernels_serve

Engine = Literal["torch", "numba"]
Backend = Literal["auto", "torch", "numba"]


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
    """The engine that will run: numba for float32 on the CPU, plain PyTorch for everything else."""
    fits_numba = points.device.type == "cpu" and points.dtype == torch.float32
    match backend:
        case "auto":
            return "numba" if fits_numba and kernels_serve(points) else "torch"
        case "torch":
            return "torch"
        case "numba":
            if not fits_numba:
                cause = f"the numba back end takes float32 on the CPU, not {points.dtype} on {points.device}."
                raise ConfigurationError("HF-FLD-003", cause, "Use back end 'auto'.")
            return "numba"
        case _:
            assert_never(backend)


def _run(
    points: Float[Tensor, "point 3"], table: Float[Tensor, "entry feature"], layout: HashGridLayout, engine: Engine, with_jacobian: bool
) -> tuple[Float[Tensor, "encoded point"], Float[Tensor, "axis encoded point"]]:
    assert table.shape == (layout.entries, layout.features), (tuple(table.shape), layout)
    match engine:
        case "torch":
            return encode_torch(points, table, layout)
        case "numba":
            return encode_numba(points, table, layout, with_jacobian)
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
