"""The colour of one entity, read from the features of its distance field."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hoifield.fields.small_network import ColourNetwork
from hoifield.fields.spherical_harmonics import HARMONICS, spherical_harmonics


class ColourField(nn.Module):
    """RGB from features; with `view_dependent` also from normal and viewing direction, as spherical harmonics of degree 2.

    Without is the default: given the viewing direction, the colour explains away the parallax that should move the surface
    (experiments/01_main_job/measure_field.py: folds in walls, pits in thin parts, cavities painted on lids).

    `extra` is the width of what else the caller gives per point: a code of the frame, a normal in the camera frame (light fixed
    in the camera), harmonics of either.
    """

    def __init__(self, feature_count: int = 15, hidden: int = 32, extra: int = 0, view_dependent: bool = False, seed: int = 0) -> None:
        super().__init__()
        self.view_dependent = view_dependent
        self.extra = extra
        inputs = feature_count + extra + (2 * HARMONICS if view_dependent else 0)
        self.network = ColourNetwork(inputs, hidden, 3, torch.Generator().manual_seed(seed))

    def forward(
        self,
        feature: Float[Tensor, "point feature"],
        normal: Float[Tensor, "point 3"],
        direction: Float[Tensor, "point 3"],
        extra: Float[Tensor, "point extra"] | None = None,
    ) -> Float[Tensor, "point 3"]:
        """RGB in (0, 1). `normal` (any length) and unit `direction` of the ray are in the entity's canonical frame."""
        assert (0 if extra is None else extra.shape[1]) == self.extra, (self.extra, None if extra is None else extra.shape)
        if self.view_dependent:
            values = assemble_colour_input(feature, normal, direction, extra)
        else:
            values = assemble_colour_input(feature, None, None, extra)
        return self.network(values).t()


def assemble_colour_input(
    feature: Float[Tensor, "point feature"],
    normal: Float[Tensor, "point 3"] | None,
    direction: Float[Tensor, "point 3"] | None,
    extra: Float[Tensor, "point extra"] | None,
) -> Float[Tensor, "input point"]:
    """Feature-first input of the colour network: features, harmonics of the unit normal, harmonics of the direction, extra."""
    rows = [feature.t()]
    if normal is not None:
        upright = normal.t()
        length = (upright * upright).sum(dim=0).add(1e-12).rsqrt()
        rows.append(spherical_harmonics(*(upright * length).unbind(0)))
    if direction is not None:
        rows.append(spherical_harmonics(*direction.t().unbind(0)))
    if extra is not None:
        rows.append(extra.t())
    return torch.cat(rows, dim=0)
