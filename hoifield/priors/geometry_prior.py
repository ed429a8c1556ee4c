"""The geometry prior as this project taught it: what it says about one kind of object in one hand."""

from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from hoifield.priors.geometry_network import CATEGORIES, GeometryNetwork
from hoifield.priors.geometry_view import OBJECT_CHANNELS, VIEW_SIZE
from hoifield.priors.noise_schedule import Denoiser, guided, walk_back
from hoifield.priors.pretrained import find_pretrained, read_card, read_pretrained

PRIOR = "geometry_prior.safetensors"


@dataclass(frozen=True)
class GeometryPrior:
    """The taught network and its card."""

    network: GeometryNetwork
    card: dict[str, Any]

    def denoiser(self, hand: Float[Tensor, "picture channel=8 row column"], category: str, guidance: float = 1.0) -> Denoiser:
        """What it says of pictures of an object of that category (one of CATEGORIES) in those hands; guidance pulls away from any object."""
        word = torch.full((len(hand),), CATEGORIES.index(category), device=hand.device)
        nothing = torch.zeros_like(hand), torch.zeros_like(word)
        return guided(
            lambda noisy, time: self.network(noisy, time, hand, word), lambda noisy, time: self.network(noisy, time, *nothing), guidance
        )

    def on(self, device: torch.device) -> "GeometryPrior":
        """A copy whose network computes on the device."""
        return GeometryPrior(deepcopy(self.network).to(device), self.card)

    def sample(
        self, hand: Float[Tensor, "picture channel=8 row column"], category: str, seed: int, steps: int = 24, guidance: float = 1.0
    ) -> Float[Tensor, "picture channel=5 row column"]:
        """Objects drawn out of nothing, one for each hand; `settled` cleans them."""
        drawn = torch.randn(len(hand), OBJECT_CHANNELS, VIEW_SIZE, VIEW_SIZE, generator=torch.Generator().manual_seed(seed))
        return settled(walk_back(drawn, self.denoiser(hand, category, guidance), 1.0, steps, lambda picture: picture.clamp(-1, 1)))


def settled(picture: Float[Tensor, "picture channel=5 row column"]) -> Float[Tensor, "picture channel=5 row column"]:
    """A picture as geometry gives it: cover -1 or 1, unit normals, nothing where nothing covers."""
    cover = picture[:, :1] > 0
    normal = picture[:, 1:4] / picture[:, 1:4].norm(dim=1, keepdim=True).clamp(min=1e-6)
    return torch.cat([torch.where(cover, 1.0, -1.0), normal * cover, torch.where(cover, picture[:, 4:].clamp(-1, 1), 1.0)], dim=1)


@lru_cache(maxsize=1)
def load_geometry_prior() -> GeometryPrior:
    """The one that came with hoifield. Raises as `find_pretrained` and `read_pretrained`."""
    return read_geometry_prior(find_pretrained(PRIOR))


def read_geometry_prior(path: Path) -> GeometryPrior:
    """The network with the weights of a file, and its card."""
    network = GeometryNetwork()
    read_pretrained(path, network)
    return GeometryPrior(network.to(memory_format=torch.channels_last), read_card(path))  # type: ignore[call-overload]
