"""A small 3-D network that completes shapes: from what silhouettes of few sides leave open, what silhouettes of all sides would."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

TAUGHT_SHAPE = (40, 32, 40)
"""Nodes of the volumes that it is taught with: along the longer side that is seen, across it, and along the view."""
VOLUME_SHAPE = (40, 32, 56)
"""Of those that it is asked about: convolutions do not mind, and what points at the camera is longer than it looks."""
CHANNELS = 5
CLIPPED = 3.0
"""Nodes at which distances are cut off, in what the network sees and says."""
WIDTHS = (32, 64, 112)
"""Channels at strides 2, 4 and 8."""
GROUPS = 8


class _Block(nn.Module):
    """Two 3x3x3 convolutions beside the identity."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.before, self.between = nn.GroupNorm(GROUPS, inside), nn.GroupNorm(GROUPS, outside)
        self.first, self.second = nn.Conv3d(inside, outside, 3, 1, 1), nn.Conv3d(outside, outside, 3, 1, 1)
        self.beside = nn.Conv3d(inside, outside, 1) if inside != outside else nn.Identity()
        nn.init.zeros_(self.second.weight)

    def forward(self, maps: Float[Tensor, "volume inside x y z"]) -> Float[Tensor, "volume outside x y z"]:
        inner = self.first(functional.silu(self.before(maps)))
        return self.second(functional.silu(self.between(inner))) + self.beside(maps)


class CompletionNetwork(nn.Module):
    """A U-Net (Ronneberger et al. 2015; in three dimensions Cicek et al. 2016). It looks at 2x2x2 nodes at
    once, and corrects the carved value that it is shown."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = WIDTHS
        self.enter = nn.Conv3d(8 * CHANNELS, fine, 3, 1, 1)
        self.down = nn.ModuleList([_Block(fine, fine), _Block(fine, middle), _Block(middle, coarse)])
        self.deepest = nn.ModuleList([_Block(coarse, coarse), _Block(coarse, coarse)])
        self.up = nn.ModuleList([_Block(coarse + middle, middle), _Block(middle + fine, fine)])
        last = nn.Conv3d(fine, 8, 3, 1, 1)
        nn.init.zeros_(last.weight)
        self.leave = nn.Sequential(nn.GroupNorm(GROUPS, fine), nn.SiLU(), last)

    def forward(self, channels: Float[Tensor, "volume channel=5 x y z"]) -> Float[Tensor, "volume x y z"]:
        """Signed distance to the surface in nodes, negative inside; what is farther than CLIPPED is only told to be."""
        fine = self.down[0](self.enter(gather_cubes(channels)))
        middle = self.down[1](functional.avg_pool3d(fine, 2))
        maps = self.down[2](functional.avg_pool3d(middle, 2))
        for block in self.deepest:
            maps = block(maps)
        maps = self.up[0](torch.cat([functional.interpolate(maps, scale_factor=2.0), middle], dim=1))
        maps = self.up[1](torch.cat([functional.interpolate(maps, scale_factor=2.0), fine], dim=1))
        return CLIPPED * (channels[:, 0] + spread_cubes(self.leave(maps)))


def gather_cubes(channels: Float[Tensor, "volume channel x y z"]) -> Float[Tensor, "volume eight_channels half_x half_y half_z"]:
    """2x2x2 neighbours as channels of one."""
    volume, channel, x, y, z = channels.shape
    cubes = channels.reshape(volume, channel, x // 2, 2, y // 2, 2, z // 2, 2).permute(0, 1, 3, 5, 7, 2, 4, 6)
    return cubes.reshape(volume, 8 * channel, x // 2, y // 2, z // 2)


def spread_cubes(maps: Float[Tensor, "volume eight half_x half_y half_z"]) -> Float[Tensor, "volume x y z"]:
    """Eight channels as 2x2x2 neighbours."""
    volume, _, x, y, z = maps.shape
    return maps.reshape(volume, 2, 2, 2, x, y, z).permute(0, 4, 1, 5, 2, 6, 3).reshape(volume, 2 * x, 2 * y, 2 * z)
