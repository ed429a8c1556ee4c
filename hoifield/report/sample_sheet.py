"""What the geometry prior imagines, as one picture to look at."""

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from hoifield.priors.geometry_network import CATEGORIES
from hoifield.priors.geometry_prior import GeometryPrior
from hoifield.synthetic.geometry_lessons import PosedScene, gather_batch

SCALE = 2
PAPER = 246


def draw_sample_sheet(
    prior: GeometryPrior, scenes: tuple[PosedScene, ...], category: str | None, rows: int, samples: int, guidance: float, seed: int
) -> bytes:
    """A PNG: a row for each scene, with the hand, the truth in the hand, and the samples in the hand. Colours are normals; the hand is darker."""
    generator = np.random.default_rng((seed, 31))
    chosen = [scenes[int(number)] for number in np.linspace(0, len(scenes) - 1, min(rows, len(scenes)))]
    pictures = [posed.seen(posed.draw_view(generator)) for posed in chosen]
    words = [category or posed.scene.category for posed in chosen]
    batch = gather_batch([one for one, _ in pictures], [hand for _, hand in pictures], words)
    nothing = torch.full_like(batch.object_picture, 1.0)
    nothing[:, :4] = torch.tensor([-1.0, 0.0, 0.0, 0.0])[:, None, None]
    columns = [_painted(nothing, batch.hand_picture), _painted(batch.object_picture, batch.hand_picture)]
    for number in range(samples):
        drawn = torch.zeros_like(batch.object_picture)
        for row, word in enumerate(batch.category.tolist()):
            hand = batch.hand_picture[row : row + 1]
            drawn[row] = prior.sample(hand, CATEGORIES[word], seed * 1009 + number * 101 + row, guidance=guidance)[0]
        columns.append(_painted(drawn, batch.hand_picture))
    sheet = np.concatenate([np.concatenate(list(column), axis=0) for column in columns], axis=1)
    large = cv2.resize(sheet, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_NEAREST)
    done, png = cv2.imencode(".png", cv2.cvtColor(large, cv2.COLOR_RGB2BGR))
    assert done
    return png.tobytes()


def _painted(
    held: Float[Tensor, "picture channel=5 row column"], hand: Float[Tensor, "picture channel=8 row column"]
) -> UInt8[np.ndarray, "picture row column 3"]:
    """Normals as colours, what is nearer in front; a white line parts the pictures."""
    object_there, hand_there = held[:, :1] > 0, hand[:, :1] > 0
    colour = torch.full_like(held[:, :3], PAPER / 255)
    colour = torch.where(object_there, 0.5 + 0.5 * held[:, 1:4], colour)
    before = hand_there & (~object_there | (hand[:, 4:5] < held[:, 4:5]))
    colour = torch.where(before, 0.25 + 0.25 * hand[:, 1:4], colour)
    colour[:, :, -1], colour[:, :, :, -1] = 1.0, 1.0
    return np.round(255 * colour.permute(0, 2, 3, 1).numpy()).astype(np.uint8)
