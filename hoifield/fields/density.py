"""Volume density of a signed distance."""

import torch
from jaxtyping import Float
from torch import Tensor


def density_from_distance(
    signed_distance: Float[Tensor, "*sample"], width: float | Float[Tensor, ""]
) -> Float[Tensor, "*sample"]:
    """Density in 1/m: (1/width) Psi(-distance), Psi the distribution function of a Laplace law of scale `width` (VolSDF, Yariv 2021).

    `signed_distance` and `width` are metres (negative inside), so that optical depth does not depend on the unit of length.
    Deep inside the density is 1/width; on the surface half of that.

    A tail reaches outside, so a silhouette at half opacity lies about width * ln(0.72 sqrt(2 pi R / width)) beyond a surface of radius
    R, and a fit to masks ends that far inside the truth: 2 to 3 widths. End with a width that makes this small.
    """
    outside = 0.5 * torch.exp(-signed_distance.clamp(min=0) / width)
    inside = 1 - 0.5 * torch.exp(signed_distance.clamp(max=0) / width)
    return torch.where(signed_distance >= 0, outside, inside) / width
