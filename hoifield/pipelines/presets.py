"""Named amounts of work, as plain data."""

from dataclasses import dataclass, replace
from typing import Literal, assert_never

from hoifield.fitting.stage import FieldLossWeights, FieldStage, ParameterGroup, PlacementStage, Stage
from hoifield.observations.hand_locked_poses import shows_few_sides
from hoifield.observations.observations import Observations
from hoifield.scene.initialise import SceneConfig

PresetName = Literal["nano", "draft", "standard", "fine"]


@dataclass(frozen=True)
class Preset:
    """How much is fitted, and how finely."""

    name: str
    most_frames: int
    """Frames of the clip that the fit looks at."""
    stages: tuple[Stage, ...]
    scene: SceneConfig
    mesh_resolution: int
    """Cells per side of the object's cube, for the mesh."""


KNOWN_SHAPE_STEPS = 600
"""That teach the field a template, which nothing corrects later."""
SMOOTH = 0.03
"""Weight of how much the surface bends where no frame shows it; the more, the fatter blades get (decision 0022)."""
CARVING_STEPS = 600
"""That teach the field what carving by colours left (decision 0027)."""
LIKE_HULL = 0.1
"""Weight of hidden surface off the first hull where that was imagined (decision 0024)."""
EVERYTHING: tuple[ParameterGroup, ...] = ("object_shape", "object_colour", "object_pose", "hand_root", "hand_surface", "background")
ALL_BUT_HAND_POSES: tuple[ParameterGroup, ...] = tuple(group for group in EVERYTHING if group != "hand_root")
"""Placement knows of the hand what pixels of the final fit do not: keypoints, outlines and joints (decision 0026)."""

FIELD_CURVES = ("total", "colour", "label", "depth_order", "interpenetration", "smooth_motion")
PLACEMENT_CURVES = ("silhouette", "same_colour", "keypoints", "hand_outline", "attraction", "penetration")
"""Losses by which fits are compared at a glance, of those that every fit of a held object logs."""


def build_preset(name: PresetName, seed: int) -> Preset:
    """nano: seconds, for clips of 64 pixels; draft: minutes on two CPU cores; standard and fine: a GPU, or patience."""
    match name:
        case "nano":
            return _preset(name, seed, most_frames=16, coarse=200, final=300, rays=512, mesh_resolution=72)
        case "draft":
            return _preset(name, seed, most_frames=72, coarse=600, final=1400, rays=1024, mesh_resolution=112)
        case "standard":
            return _preset(name, seed, most_frames=150, coarse=2000, final=6000, rays=2048, mesh_resolution=160)
        case "fine":
            return _preset(name, seed, most_frames=300, coarse=4000, final=20000, rays=4096, mesh_resolution=256)
        case _:
            assert_never(name)


def _preset(name: str, seed: int, most_frames: int, coarse: int, final: int, rays: int, mesh_resolution: int) -> Preset:
    """Coarse fit with free poses, placement by contact with the shape held, final fit (HOLD's three stages), touch."""
    stages: tuple[Stage, ...] = (
        FieldStage("coarse", coarse, EVERYTHING, FieldLossWeights(beyond_hull=5.0, smooth_surface=SMOOTH), rays=rays, width_start=0.008, width_end=0.002),
        PlacementStage("placement", 200, attraction=0.2, penetration=1.0),
        FieldStage(
            "final",
            final,
            ALL_BUT_HAND_POSES,
            # Placement has moved hand and object together where the pixels asked for it: the final fit may keep that.
            FieldLossWeights(gauge=0.02, beyond_hull=5.0, smooth_surface=SMOOTH),
            rays=rays,
            width_start=0.003,
            width_end=0.001,
            pose_warm_up=0.05,
            pose_rate=5e-4,
        ),
        PlacementStage("touch", 200, attraction=0.2, penetration=16.0, turns_object=False),
    )
    return Preset(name, most_frames, stages, SceneConfig(seed=seed), mesh_resolution)


def choose_curves() -> dict[str, tuple[str, ...]]:
    """Stage -> its losses to compare by; these stages are in every fit of a held object."""
    stages = build_preset("draft", 0).stages
    return {stage.name: FIELD_CURVES if isinstance(stage, FieldStage) else PLACEMENT_CURVES for stage in stages}


def for_loose_poses(preset: Preset) -> Preset:
    """The preset for an object whose poses come from the hand, not from structure from motion: they are degrees off.

    Silhouettes then say more than colours: colour weighs less, the grid is coarser and the surface smoother, and poses move less
    freely, or the field explains each frame by matter of its own. Placement pushes fingers less, since the object may be the wrong one.
    """
    weights = FieldLossWeights(
        colour=0.2, label=2.0, eikonal=0.3, smooth_surface=SMOOTH, depth_order=0.3, interpenetration=0.01, smooth_motion=0.2, small_motion=0.02, gauge=0.02
    )
    stages: list[Stage] = []
    for stage in preset.stages:
        match stage:
            case FieldStage():
                stages.append(replace(stage, free=EVERYTHING, weights=weights, pose_rate=3e-4))
            case PlacementStage():
                stages.append(replace(stage, attraction=0.1, penetration=1.0, turns_object=True))
            case _:
                assert_never(stage)
    return replace(preset, stages=tuple(stages), scene=replace(preset.scene, finest_resolution=64))


def for_few_sides(preset: Preset) -> Preset:
    """The preset for an object of which few sides are seen, and the others were imagined: these stay near what was imagined."""
    stages: list[Stage] = []
    for stage in preset.stages:
        match stage:
            case FieldStage():
                stages.append(replace(stage, weights=replace(stage.weights, like_hull=LIKE_HULL)))
            case PlacementStage():
                stages.append(stage)
            case _:
                assert_never(stage)
    return replace(preset, stages=tuple(stages))


def for_cavities(preset: Preset) -> Preset:
    """The preset for a shape that is fitted under poses from motion: after its last field stage, cavities that colours betray are carved. Wrong
    poses would mix colours up, and what was given is not carved."""
    at = max(place for place, stage in enumerate(preset.stages) if isinstance(stage, FieldStage))
    last = preset.stages[at]
    assert isinstance(last, FieldStage)
    carving = FieldStage(
        "carving",
        last.steps // 4,
        ("object_colour", "background"),
        FieldLossWeights(imagined=0.0),
        rays=last.rays,
        width_start=last.width_end,
        width_end=last.width_end,
        carving_steps=CARVING_STEPS,
    )
    return replace(preset, stages=(*preset.stages[: at + 1], carving, *preset.stages[at + 1 :]))


def for_known_shape(preset: Preset) -> Preset:
    """The preset for an object whose shape was given: it is held, and colours have a grid of their own, since they cannot bend the shape's."""
    stages: list[Stage] = []
    for stage in preset.stages:
        match stage:
            case FieldStage():
                stages.append(replace(stage, free=tuple(group for group in stage.free if group != "object_shape")))
            case PlacementStage():
                stages.append(stage)
            case _:
                assert_never(stage)
    scene = replace(preset.scene, colour_table_size=preset.scene.table_size, shading_shapes=False, hull_steps=KNOWN_SHAPE_STEPS)
    return replace(preset, stages=tuple(stages), scene=scene)


def preset_for(preset: Preset, observations: Observations) -> Preset:
    """The preset as what was observed asks for it."""
    track = observations.object_track
    known = track is not None and track.known_shape is not None
    if not posed_by_motion(observations):
        preset = for_loose_poses(preset)
    elif track is not None and not known:
        preset = for_cavities(for_few_sides(preset) if shows_few_sides(track.T_camera_object) else preset)
    return for_known_shape(preset) if known else preset


def posed_by_motion(observations: Observations) -> bool:
    """Whether structure from motion placed the object in most of its frames."""
    track = observations.object_track
    placed = [source for source in track.source if source != "none"] if track is not None else []
    return placed.count("motion") > len(placed) / 2
