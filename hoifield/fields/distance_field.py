"""The shape of one entity: signed distance in metres on a hash grid, with its exact gradient."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hoifield.fields.distance_numba import FieldShape, query_numba
from hoifield.fields.encode import Backend, choose_engine, encode, encode_features, require_finite
from hoifield.fields.hash_grid_layout import HashGridLayout
from hoifield.fields.small_network import SHARPNESS, DistanceNetwork
from hoifield.geometry.trilinear import lookup_grid

CHUNK = 2**16


@dataclass(frozen=True)
class DistanceSample:
    """A distance field at points."""

    signed_distance: Float[Tensor, "point"]
    """Metres, negative inside."""
    gradient: Float[Tensor, "point 3"]
    """d signed_distance / d point; of length 1 for a true distance."""
    feature: Float[Tensor, "point feature"]
    """What the colour field reads."""


class DistanceField(nn.Module):
    """Signed distance = sphere + hash grid and small softplus network, inside a cube of the entity's canonical frame.

    Everything outside is in metres. Inside, one factor (the half side of the cube) maps the cube to [-1, 1], so that the same
    learning rates suit an object of any size. Small on purpose: 8 levels and 32 hidden units fit best per second on a CPU.

    `open_levels` may be lowered and raised while fitting: level k counts clamp(open_levels - k, 0, 1), coarse to fine.
    """

    bounds_center: Tensor
    base_radius: Tensor

    def __init__(
        self,
        bounds_center: Float[Tensor, "3"],
        bounds_half_size: float,
        layout: HashGridLayout | None = None,
        hidden: int = 32,
        feature_count: int = 15,
        seed: int = 0,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.layout = layout or HashGridLayout()
        self.backend: Backend = backend
        self.bounds_half_size = float(bounds_half_size)
        self.feature_count = feature_count
        self.open_levels = float(self.layout.levels)
        self.register_buffer("bounds_center", torch.as_tensor(bounds_center, dtype=torch.float32).clone())
        self.register_buffer("base_radius", torch.tensor(0.5))
        table = torch.rand(self.layout.entries, self.layout.features, generator=generator)
        self.table = nn.Parameter((table * 2 - 1) * 1e-4)
        self.network = DistanceNetwork(self.layout.encoded, hidden, 1 + feature_count, generator)

    @property
    def lower(self) -> Float[Tensor, "3"]:
        """Lowest corner of the cube."""
        return self.bounds_center - self.bounds_half_size

    @property
    def upper(self) -> Float[Tensor, "3"]:
        """Highest corner of the cube."""
        return self.bounds_center + self.bounds_half_size

    def query(self, points: Float[Tensor, "point 3"]) -> DistanceSample:
        """Signed distance (m), gradient and feature at points (m, canonical frame); differentiable to parameters and points.

        Outside the cube the distance is a lower bound: the surface lies inside the cube, so a point at distance e from the cube,
        nearest to its point c, is at least sqrt(e^2 + d(c)^2) away.
        """
        if choose_engine(self.backend, points) == "numba" and len(self.network.hidden) == 1:
            return self._query_in_one_pass(points)
        within = points.clamp(min=self.lower, max=self.upper)
        unit = (within - self.bounds_center) / self.bounds_half_size
        encoding = encode(unit * 0.5 + 0.5, self.table, self.layout, self.backend)
        outputs, vector = self.network(encoding.features.t(), self._level_scale())
        rows = unit.t()
        radius = rows.norm(dim=0).clamp(min=1e-6)
        distance = (radius - self.base_radius + outputs[0]) * self.bounds_half_size
        gradient = rows / radius + (encoding.jacobian.permute(2, 1, 0) * vector).sum(dim=1) * 0.5
        excess = (points - within).t()
        if bool((excess.detach() != 0).any()):
            distance, gradient = continue_outside(distance, gradient, excess)
        return DistanceSample(distance, gradient.t(), outputs[1:].t())

    def _query_in_one_pass(self, points: Float[Tensor, "point 3"]) -> DistanceSample:
        """What `query` gives, by the kernels of `distance_numba`."""
        require_finite(points)
        weights, biases = self.network.hidden_layers(self._level_scale())
        shape = FieldShape(self.layout, self.bounds_center, self.bounds_half_size, float(self.base_radius), SHARPNESS)
        last = (self.network.last.weight, self.network.last.bias)
        distance, gradient, feature = query_numba(points, self.table, (weights[0], biases[0]), last, shape)
        return DistanceSample(distance, gradient.t(), feature.t())

    @torch.no_grad()
    def signed_distance(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point"]:
        """Signed distance (m) alone, in chunks and without gradients: for grids, meshes and sampling."""
        parts = [self._distance_alone(chunk) for chunk in points.split(CHUNK)]
        return torch.cat(parts) if parts else points.new_zeros(0)

    def as_grid(self, count: int) -> tuple[Float[Tensor, "count count count"], Float[Tensor, "3"], float]:
        """Signed distances (m) at count^3 vertices over the whole cube, with the lowest vertex and the spacing (m)."""
        spacing = 2 * self.bounds_half_size / (count - 1)
        axis = torch.arange(count, device=self.table.device, dtype=torch.float32) * spacing
        grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).reshape(-1, 3)
        return self.signed_distance(grid + self.lower).reshape(count, count, count), self.lower, spacing

    def start_from_grid(
        self, values: Float[Tensor, "nx ny nz"], lower: Float[Tensor, "3"], spacing: float, steps: int = 150, seed: int = 0
    ) -> float:
        """Mean error (m) near the surface after a short distillation of the field to a signed distance grid, such as a hull's.

        `values` are metres, vertex (i, j, k) at lower + spacing * (i, j, k). Half of each batch lies within two cells of the
        surface, half anywhere in the grid within the bounds.
        """
        generator = torch.Generator().manual_seed(seed)
        values, lower = values.to(self.table), lower.to(self.table)
        near = (values.abs() < 2 * spacing).nonzero().to(values.dtype) * spacing + lower
        volume = float((values < 0).sum()) * spacing**3
        if len(near) and volume > 0:
            self.base_radius.fill_(min(0.9, (3 * volume / (4 * math.pi)) ** (1 / 3) / self.bounds_half_size))
        upper = lower + (torch.tensor(values.shape) - 1).to(values) * spacing
        low, high = torch.maximum(lower, self.lower), torch.minimum(upper, self.upper)
        optimiser = torch.optim.Adam([{"params": [self.table], "lr": 1e-2}, {"params": self.network.parameters(), "lr": 5e-3}])
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, gamma=0.05 ** (1 / max(steps, 1)))
        near_error = math.nan
        for _ in range(steps):
            anywhere = low + torch.rand(4096, 3, generator=generator).to(values) * (high - low)
            if len(near):
                chosen = near[torch.randint(len(near), (4096,), generator=generator)]
                jitter = (torch.rand(4096, 3, generator=generator).to(values) - 0.5) * spacing
                points = torch.cat([chosen + jitter, anywhere])
            else:
                points = anywhere
            error = (self._distance_alone(points) - lookup_grid(values, lower, spacing, points)).abs()
            optimiser.zero_grad()
            (error.mean() / self.bounds_half_size).backward()
            optimiser.step()
            schedule.step()
            near_error = float(error[:4096].detach().mean())
        return near_error

    def _level_scale(self) -> Float[Tensor, "encoded"] | None:
        """Weight of each feature, or None where all levels are open."""
        if self.open_levels >= self.layout.levels:
            return None
        level = torch.arange(self.layout.levels, device=self.table.device)
        return (self.open_levels - level).clamp(0, 1).repeat_interleave(self.layout.features)

    def _distance_alone(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, "point"]:
        within = points.clamp(min=self.lower, max=self.upper)
        unit = (within - self.bounds_center) / self.bounds_half_size
        encoded = encode_features(unit * 0.5 + 0.5, self.table, self.layout, self.backend)
        correction = self.network.distance_alone(encoded.t(), self._level_scale())
        inner = (unit.norm(dim=-1) - self.base_radius + correction) * self.bounds_half_size
        beyond = (points - within).norm(dim=-1)
        return torch.where(inner > 0, torch.hypot(inner.clamp(min=1e-9), beyond), inner + beyond)


def continue_outside(
    distance: Float[Tensor, "point"], gradient: Float[Tensor, "3 point"], excess: Float[Tensor, "3 point"]
) -> tuple[Float[Tensor, "point"], Float[Tensor, "3 point"]]:
    """Distance and gradient carried on beyond the cube, from those at the nearest point of the cube; unchanged inside."""
    out = (excess != 0).any(dim=0)
    along = torch.where(excess == 0, gradient, torch.zeros_like(gradient))
    # The square root has no slope at 0: points inside take part with a harmless excess.
    beyond = torch.where(out, excess, torch.ones_like(excess)).norm(dim=0)
    positive = distance.clamp(min=0)
    total = torch.sqrt(beyond**2 + positive**2)
    outward = excess + positive * along
    outer = torch.where(distance > 0, total, distance + beyond)
    slope = torch.where(distance > 0, outward / total, excess / beyond + along)
    return torch.where(out, outer, distance), torch.where(out, slope, gradient)
