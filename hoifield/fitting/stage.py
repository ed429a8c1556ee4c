"""A fit is a list of stages; a stage is plain data."""

from dataclasses import dataclass
from typing import Literal

ParameterGroup = Literal["object_shape", "object_colour", "object_pose", "hand_root", "hand_surface", "background"]


@dataclass(frozen=True)
class FieldLossWeights:
    """Weights of a field stage's losses; each loss is scaled so that 1 is a usable weight."""

    colour: float = 0.5
    label: float = 1.5
    depth_order: float = 0.05
    """Low, as is interpenetration: a fitted hand is 5 to 10 mm off, and at more it cuts the object to pieces."""
    eikonal: float = 0.2
    sparsity: float = 0.02
    smooth_surface: float = 0.0
    """Of normals that differ within a few millimetres where no frame shows the surface: lumps and frays that no pixel asks for."""
    interpenetration: float = 0.02
    smooth_motion: float = 0.05
    small_motion: float = 0.005
    gauge: float = 1.0
    hand_residual: float = 0.1
    beyond_hull: float = 0.0
    """Of matter outside of the first hull, where poses are good enough to believe that: what hides beside the hand in every frame else grows
    there."""
    like_hull: float = 0.0
    """Of surface that no frame shows off that of the first hull."""
    depth: float = 0.05
    """Of measured points of the object off its surface, where a sensor gave any. At four times as much, points of frames whose poses are
    degrees off smear the surface (experiments/12_depth)."""
    looked_through: float = 0.05
    """Of matter where the sensor looked through."""
    imagined: float = 0.05
    """Of unseen sides other than the geometry prior would have them, in a fit that asks it."""


@dataclass(frozen=True)
class FieldStage:
    """Rays against pixels: shapes, colours and rigid poses."""

    name: str
    steps: int
    free: tuple[ParameterGroup, ...]
    weights: FieldLossWeights = FieldLossWeights()
    rays: int = 1024
    """Pixels looked at in one step."""
    frames_per_step: int = 16
    object_samples: int = 16
    """Samples per ray on the object."""
    hand_samples: int = 8
    width_start: float = 0.006
    """Width of the surface in the renderer, metres, at the first step."""
    width_end: float = 0.001
    """Width of the surface from 80 % of the steps on."""
    pose_warm_up: float = 0.1
    """Share of the steps before poses move."""
    network_rate: float = 2e-3
    table_rate: float = 1e-2
    shape_rate: float = 1.0
    """Factor on both for the object's distance: a start that is nearly right is held by less, and refined."""
    shape_warm_up: float = 0.0
    """Share of the steps before the shape moves: while colours are unlearned, they only push it about."""
    carving_steps: int = 0
    """That teach the field, before the first one, its shape without what colours disagree about, as a surface `width_start` soft shows it;
    0: it is not carved. The stage is left out where they agree."""
    outline_label: float = 0.0
    """Weight of the labels of pixels on the rim between object and background; without them an outline is free by a pixel either way."""
    pose_rate: float = 1e-3
    """Radians, and metres / 10, a step."""


@dataclass(frozen=True)
class PlacementStage:
    """Poses against silhouettes, keypoints and contact, with the object's shape held."""

    name: str
    steps: int
    contact_reach: float = 0.012
    """A finger's pad or a palm nearer than this is drawn to the surface, metres; from half of the steps on 3 mm."""
    attraction: float = 0.5
    penetration: float = 2.0
    silhouette: float = 20.0
    same_colour: float = 2.0
    """Of points of the surface whose colours differ between frames."""
    hand_outline: float = 4.0
    depth_order: float = 4.0
    depth: float = 5.0
    """Of measured points of hand and object off their surfaces, where a sensor gave any."""
    keypoints: float = 0.2
    limits: float = 10.0
    smooth_motion: float = 0.05
    """Of the hand's corrections."""
    steady_path: float = 0.1
    """Of the object's jitter."""
    small_motion: float = 0.01
    pose_rate: float = 1e-3
    turns_object: bool = True
    """Whether the object's rotation is free; else it only moves."""


Stage = FieldStage | PlacementStage


def last_width(stages: tuple[Stage, ...]) -> float:
    """Width of the surface (m) at the end of the last field stage; 0, an exact surface, where there is none."""
    return [0.0, *(stage.width_end for stage in stages if isinstance(stage, FieldStage))][-1]
