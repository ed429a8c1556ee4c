"""The scene of one clip: object, hands and background, with their poses over the fitted frames; camera frame, metres."""

from copy import deepcopy

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from hoifield.fields.colour_field import ColourField
from hoifield.fields.colour_grid import ColourGrid
from hoifield.fields.distance_field import DistanceField, DistanceSample
from hoifield.fields.radiance_field import BackgroundField
from hoifield.geometry.cameras import Camera
from hoifield.geometry.tensor_record import move_record
from hoifield.scene.actor_entity import ActorEntity
from hoifield.scene.frame_table import FrameTable, HandPoses
from hoifield.scene.hull_bound import HullBound


class Scene(nn.Module):
    """Entity 0 is the object; entities 1.. are the hands, in the order of the frame table."""

    def __init__(
        self,
        camera: Camera,
        frames: FrameTable,
        object_distance: DistanceField,
        object_colour: ColourField,
        actors: list[ActorEntity],
        background: BackgroundField,
        object_colour_grid: ColourGrid | None = None,
        shading_shapes: bool = True,
        hull: HullBound | None = None,
    ) -> None:
        super().__init__()
        self.camera = camera
        self.frames = frames
        self.object_distance = object_distance
        self.object_colour = object_colour
        self.object_colour_grid = object_colour_grid
        self.shading_shapes = shading_shapes
        self.hull = hull
        self.actors = nn.ModuleList(actors)
        self.background = background
        self.background_code = nn.Parameter(torch.zeros(frames.frame_count, background.code_width))

    @property
    def K(self) -> Float[Tensor, "3 3"]:
        """Intrinsic matrix of the working pictures."""
        return torch.tensor(self.camera.K, dtype=torch.float32, device=self.device)

    @property
    def device(self) -> torch.device:
        """Where the scene lies, and everything is computed."""
        return self.background_code.device

    def on(self, device: torch.device) -> "Scene":
        """This scene where it lies on the device already, else a copy of it there."""
        if self.device == device:
            return self
        moved = deepcopy(self).to(device)
        for actor, _ in moved.hands():
            actor.model, actor.volumes = move_record(actor.model, device), move_record(actor.volumes, device)
        moved.hull = None if moved.hull is None else move_record(moved.hull, device)
        return moved

    @property
    def entity_count(self) -> int:
        """Object and hands."""
        return 1 + len(self.actors)

    def surface_colour(
        self, points: Float[Tensor, "point 3"], sample: DistanceSample, camera_normal: Float[Tensor, "point 3"]
    ) -> Float[Tensor, "point 3"]:
        """RGB of the object at points (m, its own frame) that were sampled, with their unit normals in the camera's frame.

        The light stands still while the object turns: shading follows the normal in the camera. The viewing direction stays out, so that a
        cavity cannot be painted on a lid.
        """
        feature = sample.feature if self.object_colour_grid is None else self.object_colour_grid(points)
        normal = camera_normal if self.shading_shapes else camera_normal.detach()
        return self.object_colour(feature, sample.gradient, sample.gradient, extra=normal)

    def background_colour(self, directions: Float[Tensor, "ray 3"], row: Int[Tensor, "ray"]) -> Float[Tensor, "ray 3"]:
        """What a ray from the camera sees beyond hands and object, in its frame."""
        return self.background.query(torch.zeros_like(directions), directions, self.background_code[row])

    def hands(self) -> list[tuple[ActorEntity, HandPoses]]:
        """Every hand with its poses."""
        pairs: list[tuple[ActorEntity, HandPoses]] = []
        for actor, poses in zip(self.actors, self.frames.hands):
            assert isinstance(actor, ActorEntity) and isinstance(poses, HandPoses)
            pairs.append((actor, poses))
        return pairs
