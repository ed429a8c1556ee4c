"""Eyes for drawn clips: they tell object and hand by colour alone, so that tests of what is made of their answers need no taught network."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class ColourEyes(nn.Module):
    """Skin (205, 150, 125) is the hand; what is bluer than red by `blue`, or any strong colour where `blue` is None, is the object."""

    def __init__(self, blue: float | None = 0.3, certainty: float = 8.0) -> None:
        super().__init__()
        self.blue, self.certainty = blue, certainty

    def forward(self, picture: Tensor, keypoints: Tensor) -> Tensor:
        colour = picture[:, :3]
        skin = torch.tensor([205.0, 150.0, 125.0])[:, None, None] / 127.5 - 1
        is_hand = (colour - skin).abs().amax(1) < 0.25
        if self.blue is None:
            is_object = (colour.amax(1) - colour.amin(1) > 0.35) & ~is_hand
        else:
            is_object = (colour[:, 2] - colour[:, 0] > self.blue) & ~is_hand
        seen = torch.stack([~is_hand & ~is_object, is_object, is_hand, torch.zeros_like(is_hand)], 1).float()
        return functional.avg_pool2d(self.certainty * seen, 2)
