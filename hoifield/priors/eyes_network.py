"""A small network that sees hand, held object and other limbs in a crop about a hand whose keypoints are roughly known."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

CLASS_COUNT = 4
"""0 background, 1 held object, 2 the hand, 3 other limbs (forearm, sleeve, other hands)."""
PICTURE_CHANNELS, KEYPOINT_CHANNELS = 5, 21
"""Full-size maps: red, green, blue, finger bones, hint. Maps at a quarter of the size: one per keypoint."""
WIDTHS = (24, 48, 80, 128, 160)
"""Channels at strides 2, 4, 8, 16 and 32."""


def _convolution(inside: int, outside: int, size: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, outside, size, stride, size // 2, bias=False), nn.BatchNorm2d(outside))


class _Residual(nn.Module):
    """Two 3x3 convolutions beside the identity (He et al. 2016), the first one with a stride where the size halves."""

    def __init__(self, inside: int, outside: int, stride: int = 1) -> None:
        super().__init__()
        self.first = _convolution(inside, outside, 3, stride)
        self.second = _convolution(outside, outside, 3)
        self.beside = _convolution(inside, outside, 1, stride) if stride > 1 or inside != outside else nn.Identity()

    def forward(self, maps: Float[Tensor, "batch inside height width"]) -> Float[Tensor, "batch outside smaller smaller"]:
        return functional.relu(self.second(functional.relu(self.first(maps))) + self.beside(maps))


class _Rise(nn.Module):
    """Twice the size, joined with what the encoder saw there."""

    def __init__(self, below: int, beside: int, outside: int) -> None:
        super().__init__()
        self.from_below, self.from_beside = _convolution(below, outside, 1), _convolution(beside, outside, 1)
        self.mixed = _convolution(outside, outside, 3)

    def forward(
        self, below: Float[Tensor, "batch below half half"], beside: Float[Tensor, "batch beside height width"]
    ) -> Float[Tensor, "batch outside height width"]:
        risen = functional.interpolate(self.from_below(below), size=beside.shape[-2:], mode="bilinear", align_corners=False)
        return functional.relu(self.mixed(functional.relu(risen + self.from_beside(beside))))


class _Encoder(nn.Module):
    """Maps at strides 2 to 32; keypoints join at stride 4. What sees, apart from what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        at2, at4, at8, at16, at32 = WIDTHS
        self.stem = nn.Sequential(_convolution(PICTURE_CHANNELS, at2, 3, 2), nn.ReLU(), _convolution(at2, at2, 3), nn.ReLU())
        self.keypoints = nn.Conv2d(KEYPOINT_CHANNELS, at4, 1)
        self.down4 = _Residual(at2, at4, 2)
        self.stage4 = _Residual(at4, at4)
        self.stage8 = nn.Sequential(_Residual(at4, at8, 2), _Residual(at8, at8))
        self.stage16 = nn.Sequential(_Residual(at8, at16, 2), _Residual(at16, at16), _Residual(at16, at16))
        self.stage32 = nn.Sequential(_Residual(at16, at32, 2), _Residual(at32, at32))
        self.context = nn.Linear(at32, at32)

    def forward(self, picture: Float[Tensor, "batch 5 height width"], keypoints: Float[Tensor, "batch 21 h w"]) -> tuple[Tensor, ...]:
        at2 = self.stem(picture)
        at4 = self.stage4(self.down4(at2) + self.keypoints(keypoints))
        at8 = self.stage8(at4)
        at16 = self.stage16(at8)
        at32 = self.stage32(at16)
        gate = torch.sigmoid(self.context(at32.mean((2, 3))))[..., None, None]
        return at2, at4, at8, at16, at32 * (2 * gate)


class EyesNetwork(nn.Module):
    """A residual encoder with a light decoder (Ronneberger et al. 2015), at stride 2."""

    def __init__(self) -> None:
        super().__init__()
        at2, at4, at8, at16, at32 = WIDTHS
        self.encoder = _Encoder()
        self.rise16, self.rise8 = _Rise(at32, at16, at16), _Rise(at16, at8, at8)
        self.rise4, self.rise2 = _Rise(at8, at4, at4), _Rise(at4, at2, 32)
        self.classes = nn.Conv2d(32, CLASS_COUNT, 1)

    def forward(
        self, picture: Float[Tensor, "batch 5 height width"], keypoints: Float[Tensor, "batch 21 quarter_height quarter_width"]
    ) -> Float[Tensor, "batch class=4 half_height half_width"]:
        """Scores before the softmax, at half the picture's size, which must be a multiple of 32."""
        at2, at4, at8, at16, at32 = self.encoder(picture, keypoints)
        return self.classes(self.rise2(self.rise4(self.rise8(self.rise16(at32, at16), at8), at4), at2))
