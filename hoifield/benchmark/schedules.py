"""The anchors' amounts of work, as configurations of the engine. What differs from the papers stands in docs/benchmark.md."""

from dataclasses import replace

from hoifield.fitting.stage import FieldLossWeights, FieldStage, PlacementStage
from hoifield.pipelines.presets import Preset
from hoifield.scene.initialise import SceneConfig

HOLD_WEIGHTS = FieldLossWeights(
    colour=1.0, label=1.1, depth_order=0.0, interpenetration=0.0, smooth_motion=0.0, small_motion=0.0, gauge=0.02, hand_residual=0.1
)
"""Colour and segmentation as in HOLD's losses. Its eikonal term is practically off, which a hash grid does not survive: ours stays on."""
DIFFHOI_WEIGHTS = FieldLossWeights(
    colour=0.0, label=2.0, depth_order=0.0, interpenetration=0.0, smooth_motion=0.2, small_motion=0.02, gauge=0.02, eikonal=0.1
)
"""Masks alone, as DiffHOI's default schedule without its diffusion prior."""


def without_contact(preset: Preset) -> Preset:
    """The preset without its placement stages, which alone know of contact, penetration and keypoints."""
    return replace(preset, name=f"{preset.name} without contact", stages=tuple(s for s in preset.stages if isinstance(s, FieldStage)))


def hold_schedule(preset: Preset) -> Preset:
    """HOLD's three stages with the steps of a preset: fields and poses, poses by silhouettes and contact, fields and poses again.

    Its contact term draws contact zones to the object; nothing pushes out of it, and nothing is smooth in time (HOLD, section 3.3).
    """
    coarse, final = (stage for stage in preset.stages if isinstance(stage, FieldStage))
    steps = next(stage.steps for stage in preset.stages if isinstance(stage, PlacementStage))
    contact = PlacementStage(
        "contact",
        steps,
        attraction=0.2,
        penetration=0.0,
        same_colour=0.0,
        hand_outline=2.0,
        depth_order=0.0,
        smooth_motion=0.0,
        steady_path=0.0,
        small_motion=0.0,
    )
    stages = (replace(coarse, weights=HOLD_WEIGHTS), contact, replace(final, weights=replace(HOLD_WEIGHTS, label=0.5)))
    return replace(preset, name="HOLD's schedule", stages=stages)


def diffhoi_schedule(preset: Preset) -> Preset:
    """DiffHOI's one stage with the field steps of a preset: the object moves with the hand, and masks alone are compared."""
    coarse, final = (stage for stage in preset.stages if isinstance(stage, FieldStage))
    stage = replace(coarse, name="masks", steps=coarse.steps + final.steps, weights=DIFFHOI_WEIGHTS, width_end=final.width_end, pose_rate=3e-4)
    return replace(preset, name="DiffHOI's schedule", stages=(stage,), scene=replace(preset.scene, finest_resolution=64))


def exact_poses_preset(seed: int) -> Preset:
    """The field alone, for poses that are known: what the engine can reach in about a minute of two cores."""
    stage = FieldStage(
        "field",
        900,
        ("object_shape", "object_colour", "background"),
        FieldLossWeights(colour=1.0, label=1.0, eikonal=0.05, gauge=0.0, smooth_motion=0.0, small_motion=0.0),
        width_start=0.002,
        width_end=0.0002,
        shape_rate=0.3,
        shape_warm_up=0.1,
        outline_label=1.0,
    )
    scene = SceneConfig(seed=seed, finest_resolution=192, table_size=2**16, colour_table_size=2**15, shading_shapes=False)
    return Preset("true poses", 60, (stage,), scene, 160)
