"""Real spherical harmonics of unit vectors."""

import torch
from jaxtyping import Float
from torch import Tensor

HARMONICS = 8


def spherical_harmonics(x: Float[Tensor, "point"], y: Float[Tensor, "point"], z: Float[Tensor, "point"]) -> Float[Tensor, "8 point"]:
    """Harmonics of degrees 1 and 2 (the constant is left to the bias of the reader), each scaled to unit mean square over the sphere.

    Diffuse light from anywhere is linear in these of the normal to about 1 % (Ramamoorthi and Hanrahan 2001).
    """
    a, b = 3**0.5, 15**0.5
    return torch.stack(
        [a * x, a * y, a * z, b * x * y, b * y * z, b * x * z, 5**0.5 / 2 * (3 * z * z - 1), b / 2 * (x * x - y * y)]
    )
