"""The one schedule of noise, for teaching the prior and for asking it, and the ways back from noise to a picture."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Denoiser = Callable[[Float[Tensor, "picture channel row column"], Float[Tensor, "picture"]], Float[Tensor, "picture channel row column"]]
"""A noisy picture and its time -> the velocity."""


def signal(time: Float[Tensor, "*picture"]) -> Float[Tensor, "*picture"]:
    """Share of the picture at a time in [0, 1]: cos(pi t / 2), so that nothing of it is left at 1 (zero terminal SNR, Lin et al. 2024)."""
    return torch.cos(0.5 * math.pi * time)


def noise(time: Float[Tensor, "*picture"]) -> Float[Tensor, "*picture"]:
    """Share of the noise: the squares of both shares sum to 1."""
    return torch.sin(0.5 * math.pi * time)


def _along(share: Float[Tensor, "picture"]) -> Float[Tensor, "picture 1 1 1"]:
    return share[:, None, None, None]


def add_noise(picture: Tensor, drawn: Tensor, time: Float[Tensor, "picture"]) -> Tensor:
    """The noisy picture of a time."""
    return _along(signal(time)) * picture + _along(noise(time)) * drawn


def velocity(picture: Tensor, drawn: Tensor, time: Float[Tensor, "picture"]) -> Tensor:
    """What the network is taught to say (Salimans and Ho 2022, v-prediction)."""
    return _along(signal(time)) * drawn - _along(noise(time)) * picture


def picture_from(noisy: Tensor, said: Tensor, time: Float[Tensor, "picture"]) -> Tensor:
    """The picture that a velocity stands for."""
    return _along(signal(time)) * noisy - _along(noise(time)) * said


def noise_from(noisy: Tensor, said: Tensor, time: Float[Tensor, "picture"]) -> Tensor:
    """The noise that a velocity stands for."""
    return _along(noise(time)) * noisy + _along(signal(time)) * said


@torch.no_grad()
def walk_back(noisy: Tensor, denoise: Denoiser, first: float, steps: int, settle: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """The picture at the end of `steps` equal steps from time `first` to 0 without new noise (DDIM, Song et al. 2021, eta = 0).

    `settle` may replace what each step believes the picture to be, for instance by what is known of it.
    """
    times = torch.linspace(first, 0.0, steps + 1, device=noisy.device)
    picture = noisy
    for now, after in zip(times[:-1], times[1:], strict=True):
        time = now.expand(len(noisy))
        said = denoise(noisy, time)
        picture, drawn = picture_from(noisy, said, time), noise_from(noisy, said, time)
        if settle is not None:
            picture = settle(picture)
        noisy = add_noise(picture, drawn, after.expand(len(noisy)))
    return picture


def guided(with_hint: Denoiser, without: Denoiser, strength: float) -> Denoiser:
    """Away from what is said without the hint (classifier-free guidance, Ho and Salimans 2022); strength 1 is the hint alone."""

    def denoise(noisy: Tensor, time: Tensor) -> Tensor:
        plain = without(noisy, time)
        return plain + strength * (with_hint(noisy, time) - plain)

    return with_hint if strength == 1.0 else denoise
