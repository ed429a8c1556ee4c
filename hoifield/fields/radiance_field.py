"""Everything beyond the entities: a radiance field on the inverted sphere that changes with the frame (NeRF++, Zhang et al. 2020)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hoifield.fields.encode import Backend, encode_features
from hoifield.fields.hash_grid_layout import HashGridLayout
from hoifield.fields.small_network import ColourNetwork, PointLinear

BACKGROUND_LAYOUT = HashGridLayout(levels=8, features=2, table_size=2**15, base_resolution=16, finest_resolution=512)


class BackgroundField(nn.Module):
    """Colour of what lies beyond a sphere that holds the cameras and the foreground, composited along a few samples.

    A point at distance d from the centre enters as its unit direction times (2 - radius / d): the outside fills a shell, in which
    samples are uniform in inverse depth. The code of the frame enters both networks, so moving shadows and hands need no geometry.
    """

    center: Tensor

    def __init__(
        self,
        center: Float[Tensor, "3"],
        radius: float,
        code_width: int = 8,
        samples: int = 8,
        hidden: int = 32,
        layout: HashGridLayout = BACKGROUND_LAYOUT,
        seed: int = 0,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.layout = layout
        self.backend: Backend = backend
        self.radius = float(radius)
        self.samples = samples
        self.code_width = code_width
        self.register_buffer("center", torch.as_tensor(center, dtype=torch.float32).clone())
        self.table = nn.Parameter((torch.rand(layout.entries, layout.features, generator=generator) * 2 - 1) * 1e-4)
        self.opacity_layer = PointLinear(layout.encoded + code_width, 1, generator)
        self.colour_network = ColourNetwork(layout.encoded + code_width, hidden, 3, generator)

    def query(
        self, origins: Float[Tensor, "ray 3"], directions: Float[Tensor, "ray 3"], frame_code: Float[Tensor, "ray code"]
    ) -> Float[Tensor, "ray 3"]:
        """RGB of rays with unit directions whose origins lie inside the sphere (origins outside are treated as on it)."""
        positions = self._shell_points(origins, directions)
        encoded = encode_features(positions.reshape(-1, 3), self.table, self.layout, self.backend)
        code = frame_code.t()[:, :, None].expand(-1, -1, self.samples).reshape(self.code_width, -1)
        values = torch.cat([encoded.t(), code], dim=0)
        optical_depth = torch.nn.functional.softplus(self.opacity_layer(values)).reshape(len(origins), self.samples)
        colour = self.colour_network(values).reshape(3, len(origins), self.samples)
        passed = torch.exp(-(optical_depth.cumsum(dim=-1) - optical_depth))
        opacity = -torch.expm1(-optical_depth)
        # Nothing lies behind the last sample: it takes what is left.
        weight = torch.cat([passed[:, :-1] * opacity[:, :-1], passed[:, -1:]], dim=-1)
        return (weight * colour).sum(dim=-1).t()

    def _shell_points(self, origins: Float[Tensor, "ray 3"], directions: Float[Tensor, "ray 3"]) -> Float[Tensor, "ray sample 3"]:
        """Positions in the unit cube of the samples on each ray, near to far; midpoints of equal steps of inverse depth."""
        inverse = 1 - (torch.arange(self.samples, device=origins.device, dtype=origins.dtype) + 0.5) / self.samples
        shell_radius = self.radius / inverse
        offset = origins - self.center
        along = (offset * directions).sum(dim=-1, keepdim=True)
        reach = (along**2 - (offset * offset).sum(dim=-1, keepdim=True) + shell_radius**2).clamp(min=1e-12).sqrt()
        distance = (reach - along).clamp(min=0)
        points = offset[:, None] + distance[..., None] * directions[:, None]
        unit = points / points.norm(dim=-1, keepdim=True).clamp(min=1e-9)
        return unit * (2 - inverse)[:, None] / 4 + 0.5
