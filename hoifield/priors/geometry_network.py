"""A small diffusion network that knows what objects look like in a hand: cover, normals and depth, given the hand and a category."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from hoifield.priors.geometry_view import HAND_CHANNELS, OBJECT_CHANNELS
from hoifield.shapes.draw_family import SHAPE_NAMES, find_shape_name

CATEGORIES = ("unknown", *SHAPE_NAMES)
"""What the network knows; `unknown` is one of them, and taught like them."""
WIDTHS = (32, 80, 160)
"""Channels at strides 2, 4 and 8."""
EMBEDDING = 128
GROUPS = 8


class _Block(nn.Module):
    """Two 3x3 convolutions beside the identity; time and category scale and shift what lies between them."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.before, self.between = nn.GroupNorm(GROUPS, inside), nn.GroupNorm(GROUPS, outside)
        self.first, self.second = nn.Conv2d(inside, outside, 3, 1, 1), nn.Conv2d(outside, outside, 3, 1, 1)
        self.told = nn.Linear(EMBEDDING, 2 * outside)
        self.beside = nn.Conv2d(inside, outside, 1) if inside != outside else nn.Identity()
        nn.init.zeros_(self.second.weight)

    def forward(self, maps: Float[Tensor, "picture inside row column"], told: Float[Tensor, "picture embedding"]) -> Tensor:
        scale, shift = self.told(told)[..., None, None].chunk(2, dim=1)
        inner = self.between(self.first(functional.silu(self.before(maps))))
        return self.second(functional.silu(inner * (1 + scale) + shift)) + self.beside(maps)


class _Attention(nn.Module):
    """Every place looks at every other (Vaswani et al. 2017)."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.asked, self.told = nn.GroupNorm(GROUPS, width), nn.Conv2d(width, 3 * width, 1), nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.told.weight)

    def forward(self, maps: Float[Tensor, "picture width row column"]) -> Float[Tensor, "picture width row column"]:
        picture, width, row, column = maps.shape
        query, key, value = self.asked(self.before(maps)).reshape(picture, 3, self.heads, width // self.heads, row * column).transpose(-1, -2).unbind(1)
        seen = functional.scaled_dot_product_attention(query, key, value)
        return maps + self.told(seen.transpose(-1, -2).reshape(picture, width, row, column))


class GeometryNetwork(nn.Module):
    """A U-Net (Ronneberger et al. 2015) on 2x2 pixels at once; it says the velocity of its noisy object picture."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = WIDTHS
        self.category = nn.Embedding(len(CATEGORIES), EMBEDDING)
        self.time = nn.Sequential(nn.Linear(64, EMBEDDING), nn.SiLU(), nn.Linear(EMBEDDING, EMBEDDING))
        self.enter = nn.Conv2d(4 * (OBJECT_CHANNELS + HAND_CHANNELS), fine, 3, 1, 1)
        self.down = nn.ModuleList([_Block(fine, fine), _Block(fine, fine), _Block(fine, middle), _Block(middle, middle), _Block(middle, coarse)])
        self.deepest = nn.ModuleList([_Block(coarse, coarse), _Block(coarse, coarse), _Block(coarse, coarse)])
        self.looks = nn.ModuleList([_Attention(coarse), _Attention(coarse)])
        self.up = nn.ModuleList([_Block(coarse + middle, middle), _Block(middle, middle), _Block(middle + fine, fine), _Block(fine, fine)])
        self.leave = nn.Sequential(nn.GroupNorm(GROUPS, fine), nn.SiLU(), nn.Conv2d(fine, 4 * OBJECT_CHANNELS, 3, 1, 1))

    def forward(
        self,
        noisy: Float[Tensor, "picture channel=5 row column"],
        time: Float[Tensor, "picture"],
        hand: Float[Tensor, "picture channel=8 row column"],
        category: Int[Tensor, "picture"],
    ) -> Float[Tensor, "picture channel=5 row column"]:
        """The velocity; a hand that is all zeros is one that is not told."""
        told = functional.silu(self.time(_time_waves(time)) + self.category(category))
        maps = self.enter(functional.pixel_unshuffle(torch.cat([noisy, hand], dim=1), 2).contiguous(memory_format=torch.channels_last))
        fine = self.down[1](self.down[0](maps, told), told)
        middle = self.down[3](self.down[2](functional.avg_pool2d(fine, 2), told), told)
        maps = self.deepest[0](self.down[4](functional.avg_pool2d(middle, 2), told), told)
        maps = self.looks[0](maps)
        maps = self.looks[1](self.deepest[1](maps, told))
        maps = self.deepest[2](maps, told)
        maps = self.up[1](self.up[0](torch.cat([functional.interpolate(maps, scale_factor=2.0), middle], dim=1), told), told)
        maps = self.up[3](self.up[2](torch.cat([functional.interpolate(maps, scale_factor=2.0), fine], dim=1), told), told)
        return functional.pixel_shuffle(self.leave(maps), 2)


def _time_waves(time: Float[Tensor, "picture"]) -> Float[Tensor, "picture wave=64"]:
    """Sines and cosines of the time at 32 rates (Vaswani et al. 2017)."""
    rates = torch.exp(torch.linspace(0.0, math.log(1000.0), 32, device=time.device))
    phases = time[:, None] * rates
    return torch.cat([phases.sin(), phases.cos()], dim=1)


def category_of(word: str) -> str:
    """The category that a user's word stands for; `unknown` where the network knows none."""
    return find_shape_name(word) or CATEGORIES[0]
