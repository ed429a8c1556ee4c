"""A hand as an entity of the scene: the posed actor's distance, a learned residual and a colour in its canonical space."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.fields.encode import encode_features
from hoifield.fields.hash_grid_layout import HashGridLayout
from hoifield.scene.actor_volumes import ActorVolumes, build_actor_volumes
from hoifield.scene.frame_table import HandPoses

LARGEST_RESIDUAL = 0.004
"""Metres by which the learned residual can move the actor's surface: skin and pose correctives, not another hand."""


class ActorEntity(nn.Module):
    """Signed distance = posed actor + residual(canonical point); colour likewise; both shared by all frames."""

    def __init__(self, model: SkinnedModel, poses: HandPoses, volume_resolution: int, generator: torch.Generator) -> None:
        super().__init__()
        self.model = model
        self.layout = HashGridLayout(levels=6, table_size=2**13, base_resolution=8, finest_resolution=96)
        self.volume_resolution = volume_resolution
        table = torch.rand(self.layout.entries, self.layout.features, generator=generator)
        self.table = nn.Parameter((table * 2 - 1) * 1e-4)
        self.hidden = nn.Linear(self.layout.encoded, 32)
        self.output = nn.Linear(32, 4)
        with torch.no_grad():
            for layer in (self.hidden, self.output):
                layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) * layer.in_features**-0.5)
                layer.bias.zero_()
            self.output.weight[0].zero_()
        rest, _ = model.shaped(poses.shape().detach())
        centre = (rest.amax(0) + rest.amin(0)) / 2
        self.register_buffer("centre", centre)
        self.register_buffer("half_size", (rest.amax(0) - rest.amin(0)).max() / 2 * 1.2)
        self.volumes: ActorVolumes = self.build_volumes(poses)

    centre: Tensor
    half_size: Tensor

    def build_volumes(self, poses: HandPoses) -> ActorVolumes:
        """Distance volumes of the present articulation and shape."""
        return build_actor_volumes(self.model, poses.shape().detach(), poses.pose().detach(), self.volume_resolution)

    def surface(
        self, row: Int[Tensor, "point"], points: Float[Tensor, "point 3"]
    ) -> tuple[Float[Tensor, "point"], Float[Tensor, "point 3"], Float[Tensor, "point 3"], Float[Tensor, "point"]]:
        """Signed distance (m), its gradient (wrist frame), colour and residual (m) at wrist-frame points."""
        distance, gradient = self.volumes.lookup(row, points)
        canonical = self.volumes.nearest_canonical(row, points.detach()).float()
        unit = ((canonical - self.centre) / self.half_size * 0.5 + 0.5).clamp(0.0, 1.0)
        features = encode_features(unit, self.table, self.layout)
        raw = self.output(torch.relu(self.hidden(features)))
        residual = torch.tanh(raw[:, 0]) * LARGEST_RESIDUAL
        near = torch.exp(-((distance.detach() / 0.01) ** 2))
        return distance + residual * near, gradient, torch.sigmoid(raw[:, 1:]), residual
