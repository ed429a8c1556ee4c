"""Observations -> the first scene: hull-shaped object, observed poses, neutral colours."""

from dataclasses import dataclass

import numpy as np
import torch

from hoifield.actors.skinned_model import Side, SkinnedModel
from hoifield.errors import RefusedInput
from hoifield.fields.colour_field import ColourField
from hoifield.fields.colour_grid import ColourGrid
from hoifield.fields.distance_field import DistanceField
from hoifield.fields.hash_grid_layout import HashGridLayout
from hoifield.fields.radiance_field import BackgroundField
from hoifield.geometry.cameras import Camera
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.observations.hand_locked_poses import shows_few_sides
from hoifield.observations.object_track import ObjectTrack
from hoifield.observations.observations import Observations
from hoifield.scene.actor_entity import ActorEntity
from hoifield.scene.frame_table import FrameTable, HandPoses, ObservedHand
from hoifield.scene.hull_bound import HullBound, reach_before
from hoifield.scene.scene import Scene

LOOKED_FROM = 11
"""Frames that say what lies before the first hull."""


@dataclass(frozen=True)
class SceneConfig:
    """Sizes of the fields; the defaults are what two CPU cores fit best per second."""

    levels: int = 8
    """Levels of the object's hash grid."""
    table_size: int = 2**15
    """Most rows of one level."""
    finest_resolution: int = 128
    """Cells per side of the finest level."""
    colour_table_size: int = 0
    """Most rows of one level of a grid that colours have to themselves; 0: they read the features of the distance field."""
    colour_finest_resolution: int = 256
    """Cells per side of that grid's finest level."""
    shading_shapes: bool = True
    """Whether colours may turn the surface through its normals: what an object of one colour needs, and what hides wrong depth on others."""
    bounds_margin: float = 1.25
    """Half size of the object's cube over that of its hull."""
    hand_volume_resolution: int = 36
    """Grid points per side of the posed hands' distance volumes."""
    hull_steps: int = 200
    """Steps that shape the field like the hull before the fit."""
    seed: int = 0


def initialise_scene(observations: Observations, time_s: np.ndarray, camera: Camera, actors: dict[Side, SkinnedModel], config: SceneConfig) -> Scene:
    """The scene before the fit. `time_s` are the times of the clip's frames, `camera` the working camera, `actors` by side.

    Raises RefusedInput (HF-SCN-002) without an object track: there is nothing to start from.
    """
    track = observations.object_track
    if track is None:
        raise RefusedInput("HF-SCN-002", "no object was found in the clip", "label the object in one or two frames with --masks")
    rows = observations.fit_frames
    generator = torch.Generator().manual_seed(config.seed)
    hands = []
    for hand in observations.hands:
        hands.append(
            ObservedHand(
                hand.side,
                torch.tensor(hand.T_camera_hand[rows], dtype=torch.float32),
                torch.tensor(hand.pose[rows], dtype=torch.float32),
                torch.tensor(hand.shape, dtype=torch.float32),
            )
        )
    frames = FrameTable(
        torch.tensor(time_s[rows], dtype=torch.float32),
        torch.tensor(track.T_camera_object[rows], dtype=torch.float32),
        torch.tensor(track.confidence[rows], dtype=torch.float32),
        tuple(hands),
    )
    entities = []
    for poses in frames.hands:
        assert isinstance(poses, HandPoses)
        entities.append(ActorEntity(actors[poses.side], poses, config.hand_volume_resolution, generator))
    depth = float(np.nanmax(track.T_camera_object[rows, 2, 3]))
    background = BackgroundField(torch.zeros(3), radius=2.0 * depth, seed=config.seed + 2)
    shape, hull = _hull_field(track, config)
    grid = _colour_grid(shape, config)
    features = shape.feature_count if grid is None else grid.layout.encoded
    return Scene(
        camera=camera,
        frames=frames,
        object_distance=shape,
        object_colour=ColourField(features, extra=3, view_dependent=False, seed=config.seed + 1),
        actors=entities,
        background=background,
        object_colour_grid=grid,
        shading_shapes=config.shading_shapes,
        hull=hull,
    )


def _colour_grid(shape: DistanceField, config: SceneConfig) -> ColourGrid | None:
    if config.colour_table_size == 0:
        return None
    layout = HashGridLayout(levels=config.levels, table_size=config.colour_table_size, finest_resolution=config.colour_finest_resolution)
    return ColourGrid(shape.bounds_center, shape.bounds_half_size, layout, config.seed + 3)


def _hull_field(track: ObjectTrack, config: SceneConfig) -> tuple[DistanceField, HullBound]:
    hull = track.hull
    lower, upper = hull.vertices.min(0), hull.vertices.max(0)
    half_size = float((upper - lower).max()) / 2 * config.bounds_margin
    centre = (lower + upper) / 2
    layout = HashGridLayout(levels=config.levels, table_size=config.table_size, finest_resolution=config.finest_resolution)
    field = DistanceField(torch.tensor(centre, dtype=torch.float32), half_size, layout, seed=config.seed)
    # a hull is blurred anyway, what was given is not
    resolution = 56 if track.known_shape is None else 112
    spacing = 2 * half_size / (resolution - 1)
    distance = MeshDistance(hull.vertices, hull.faces).on_grid(centre - half_size, spacing, resolution)
    values = torch.tensor(distance, dtype=torch.float32)
    bound = HullBound(values, torch.tensor(centre - half_size, dtype=torch.float32), spacing)
    field.start_from_grid(bound.values, bound.lower, spacing, config.hull_steps, config.seed)
    posed = track.T_camera_object[np.isfinite(track.T_camera_object).all((1, 2))]
    if not shows_few_sides(posed):
        return field, bound
    looked_from = posed[np.linspace(0, len(posed) - 1, LOOKED_FROM).round().astype(int)]
    return field, reach_before(bound, torch.tensor(looked_from, dtype=torch.float32))
