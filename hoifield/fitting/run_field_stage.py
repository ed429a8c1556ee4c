"""The one loop over rays: draw pixels, render, compare, step; the same for every field stage."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hoifield.errors import InternalError
from hoifield.fitting.adam import NamedAdam
from hoifield.fitting.carve_object import carve_object
from hoifield.fitting.frame_pixels import FramePixels, PixelBatch
from hoifield.fitting.hidden_surface import bend_loss, find_hidden, like_hull_loss
from hoifield.fitting.imagined_views import Imagination, ImaginedRays, imagine_unseen, imagined_loss
from hoifield.fitting.parameter_groups import parameters_of
from hoifield.fitting.schedule import rate_factor, surface_width
from hoifield.fitting.stage import FieldStage
from hoifield.geometry.cameras import back_project, pixel_directions
from hoifield.geometry.rigid import invert_rigid, transform_points
from hoifield.geometry.tensor_record import move_record
from hoifield.losses.motion import held_gauge_loss, small_correction_loss, smooth_correction_loss
from hoifield.losses.pixel_agreement import colour_loss, hand_before_object_loss, label_loss
from hoifield.losses.sensor_depth import looked_through_loss, measured_surface_loss
from hoifield.losses.surface import eikonal_loss, interpenetration_loss, sparsity_loss
from hoifield.renderer.cached_distance import CachedDistance
from hoifield.renderer.render_rays import RayTrace, SamplingConfig, render_rays
from hoifield.scene.scene import Scene

CACHE_EVERY = 50
"""Steps between two readings of the object's field into the grid that rays are sampled by; checkpoints fall on these steps."""
CACHE_RESOLUTION = 64
MOST_SKIPPED_STEPS = 20
IMAGINED_RAYS = 512
"""Rays of unseen sides looked at in one step."""
FADING = 0.4
"""Share of a stage's steps over which the geometry prior falls silent."""
LOOKED_THROUGH = (0.004, 0.04)
"""Metres before a measured point within which places are looked at that must be empty."""
MEASURED_WITHIN = 0.002
"""Metres that count 1 in the losses of measured depth."""
HULL_SLACK = 0.005
"""Metres by which the object may reach beyond its first hull: what masks and poses are off."""


@dataclass(frozen=True)
class StepReport:
    """What one step measured."""

    step: int
    total: float
    losses: dict[str, float]
    skipped: bool
    """Whether nothing moved, for a gradient was not finite."""


def run_field_stage(
    scene: Scene,
    stage: FieldStage,
    pixels: FramePixels,
    seed: int,
    optimiser: NamedAdam,
    first_step: int,
    after_step: Callable[[StepReport, bool], None],
    imagination: Imagination | None = None,
) -> None:
    """Steps `first_step` .. of the stage; `after_step(report, at_cache)` is told of each, `at_cache` where a checkpoint may be taken.

    Every random choice is a function of (seed, step), so a resumed stage repeats the uninterrupted one. A step whose gradients are
    not finite is skipped; too many of them raise InternalError (HF-FIT-003). A stage that is to carve has no steps where nothing is to be carved.
    """
    if first_step == 0 and stage.carving_steps > 0 and not carve_object(scene, pixels, stage.width_start, stage.carving_steps, seed):
        return
    skipped = 0
    lookup: CachedDistance | None = None
    imagined: ImaginedRays | None = None
    hidden: Float[Tensor, "point 3"] | None = None
    for step in range(first_step, stage.steps):
        if lookup is None or step % CACHE_EVERY == 0:
            lookup = read_object_grid(scene)
            if stage.weights.smooth_surface > 0 and "object_shape" in stage.free:
                hidden = find_hidden(scene, pixels, lookup, seed * 1_000_003 + step)
            if imagination is not None and stage.weights.imagined > 0 and scene.actors:
                imagined = imagine_unseen(imagination, scene, pixels, lookup, seed * 1_000_003 + step, step / stage.steps)
        report = take_field_step(scene, stage, pixels, seed, optimiser, step, lookup, imagined, hidden)
        skipped += report.skipped
        if skipped > MOST_SKIPPED_STEPS:
            raise InternalError("HF-FIT-003", f"{skipped} steps of stage {stage.name} had no finite gradient", "try another --seed, and report it")
        after_step(report, (step + 1) % CACHE_EVERY == 0)


def take_field_step(
    scene: Scene,
    stage: FieldStage,
    pixels: FramePixels,
    seed: int,
    optimiser: NamedAdam,
    step: int,
    lookup: CachedDistance,
    imagined: ImaginedRays | None = None,
    hidden: Float[Tensor, "point 3"] | None = None,
) -> StepReport:
    """One step: pixels drawn, rays rendered, losses, gradients, and the update where those are finite. `lookup` is `read_object_grid`'s."""
    progress = step / stage.steps
    generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
    batch = move_record(_draw(pixels, scene.frames.frame_count, stage, np.random.default_rng((seed, step))), scene.device)
    sampling = SamplingConfig(surface_width(progress, stage.width_start, stage.width_end), stage.object_samples, stage.hand_samples)
    losses = field_losses(scene, stage, batch, lookup, sampling, generator)
    if imagined is not None:
        losses["imagined"] = stage.weights.imagined * fading(progress) * imagined_loss(scene.object_distance, imagined, IMAGINED_RAYS, generator)
    if hidden is not None:
        losses["smooth_surface"] = stage.weights.smooth_surface * bend_loss(scene.object_distance, hidden, generator)
        if scene.hull is not None and stage.weights.like_hull > 0:
            losses["like_hull"] = stage.weights.like_hull * like_hull_loss(scene.object_distance, scene.hull, hidden, generator)
    total = torch.stack(list(losses.values())).sum()
    optimiser.zero_grad()
    total.backward()
    finite = optimiser.gradients_are_finite()
    if finite:
        optimiser.step(rate_factor(progress), held_parameters(optimiser, stage, progress))
    return StepReport(step, float(total.detach()), values_of(losses), not finite)


def values_of(losses: dict[str, Float[Tensor, ""]]) -> dict[str, float]:
    """Losses as numbers, fetched from their device at once."""
    return dict(zip(losses, torch.stack(list(losses.values())).detach().tolist()))


def fading(progress: float) -> float:
    """What is imagined counts less and less in the last part of a stage, so that it ends with what was seen."""
    return min(1.0, (1.0 - progress) / FADING)


def build_optimiser(scene: Scene, stage: FieldStage) -> NamedAdam:
    """Adam over what the stage frees."""
    return NamedAdam([entry for group in stage.free for entry in parameters_of(scene, group, stage)])


def held_parameters(optimiser: NamedAdam, stage: FieldStage, progress: float) -> frozenset[str]:
    """Names of what does not move yet."""
    held = ["frames."] if progress < stage.pose_warm_up else []
    held += ["object_distance."] if progress < stage.shape_warm_up else []
    return frozenset(name for name in optimiser.parameters if name.startswith(tuple(held)))


def read_object_grid(scene: Scene) -> CachedDistance:
    """The object's field on a grid, for sampling."""
    values, lower, spacing = scene.object_distance.as_grid(CACHE_RESOLUTION)
    return CachedDistance(values.contiguous(), lower, spacing)


def _draw(pixels: FramePixels, frames: int, stage: FieldStage, generator: np.random.Generator) -> PixelBatch:
    rows = generator.choice(frames, size=min(stage.frames_per_step, frames), replace=False)
    return pixels.draw(rows, stage.rays, generator)


def field_losses(
    scene: Scene,
    stage: FieldStage,
    batch: PixelBatch,
    lookup: CachedDistance,
    sampling: SamplingConfig,
    generator: torch.Generator,
) -> dict[str, Float[Tensor, ""]]:
    """Every weighted loss of one batch, by name."""
    trace = render_rays(scene, lookup, batch.row, batch.pixel, sampling, generator)
    weights = stage.weights
    rendering = trace.rendering
    losses = {
        "colour": weights.colour * colour_loss(rendering.colour, trace.alone_colour, batch.colour, batch.label, batch.certain),
        "label": weights.label * label_loss(trace.alone_opacity, batch.label, batch.certain + stage.outline_label * batch.outline),
    }
    order = hand_before_object_loss(trace.alone_opacity, rendering.entity_weight, batch.label, batch.certain)
    losses["depth_order"] = weights.depth_order * order
    field = scene.object_distance
    anywhere = field.lower + torch.rand(1024, 3, generator=generator).to(scene.device) * (field.upper - field.lower)
    sampled = field.query(anywhere)
    losses["eikonal"] = weights.eikonal * eikonal_loss(torch.cat([trace.object_gradient, sampled.gradient]))
    losses["sparsity"] = weights.sparsity * sparsity_loss(sampled.signed_distance, 0.01)
    if scene.hull is not None and weights.beyond_hull > 0:
        losses["beyond_hull"] = weights.beyond_hull * (scene.hull.excess(anywhere, sampled.signed_distance, HULL_SLACK) / HULL_SLACK).mean()
    losses.update(_depth_losses(scene, stage, batch, generator))
    losses.update(_hand_losses(trace, stage))
    losses.update(_motion_losses(scene, stage))
    return losses


def _depth_losses(scene: Scene, stage: FieldStage, batch: PixelBatch, generator: torch.Generator) -> dict[str, Float[Tensor, ""]]:
    """Measured points of the object lie on its surface, and before them there is nothing."""
    if batch.depth is None:
        return {}
    chosen = ((batch.label == 0) & (batch.depth > 0) & (batch.certain > 0)).nonzero()[:, 0]
    if len(chosen) == 0:
        return {}
    directions, row = pixel_directions(batch.pixel[chosen], scene.K), batch.row[chosen]
    nearest, farthest = LOOKED_THROUGH
    gap = nearest + torch.rand(len(chosen), generator=generator).to(scene.device) * (farthest - nearest)
    depth = batch.depth[chosen]
    points = torch.stack([back_project(directions, depth), back_project(directions, depth - gap)], dim=1)
    local = transform_points(invert_rigid(scene.frames.T_camera_object(row)), points)
    on_surface, before = scene.object_distance.query(local.reshape(-1, 3)).signed_distance.reshape(-1, 2).unbind(1)
    return {
        "depth": stage.weights.depth * measured_surface_loss(on_surface, MEASURED_WITHIN),
        "looked_through": stage.weights.looked_through * looked_through_loss(before, MEASURED_WITHIN),
    }


def _hand_losses(trace: RayTrace, stage: FieldStage) -> dict[str, Float[Tensor, ""]]:
    if trace.hand_distance.shape[-1] == 0:
        return {}
    through = interpenetration_loss(trace.object_distance, trace.hand_distance.amin(-1)[trace.near], 0.002)
    residual = (trace.hand_residual / 0.002).square().mean() if len(trace.hand_residual) else trace.hand_residual.sum()
    return {"interpenetration": stage.weights.interpenetration * through, "hand_residual": stage.weights.hand_residual * residual}


def _motion_losses(scene: Scene, stage: FieldStage) -> dict[str, Float[Tensor, ""]]:
    frames, weights = scene.frames, stage.weights
    if "object_pose" not in stage.free:
        return {}
    rotation, translation = frames.object_rotation, frames.object_translation
    smooth = smooth_correction_loss(rotation, frames.time_s, 0.03) + smooth_correction_loss(translation, frames.time_s, 0.003)
    small = small_correction_loss(rotation, frames.object_confidence, 0.1) + small_correction_loss(translation, frames.object_confidence, 0.01)
    gauge = held_gauge_loss(rotation, 0.01) + held_gauge_loss(translation, 0.001)
    for _, poses in scene.hands():
        smooth = smooth + smooth_correction_loss(poses.rotation, frames.time_s, 0.03)
        smooth = smooth + smooth_correction_loss(poses.translation, frames.time_s, 0.003)
        small = small + small_correction_loss(poses.rotation, torch.ones_like(frames.time_s), 0.05)
        small = small + small_correction_loss(poses.translation, torch.ones_like(frames.time_s), 0.003)
    return {
        "smooth_motion": weights.smooth_motion * smooth,
        "small_motion": weights.small_motion * small,
        "gauge": weights.gauge * gauge,
    }


class StepClock:
    """Tells when enough time has passed since the last checkpoint; time decides only when to save, never what is computed."""

    def __init__(self, every_s: float) -> None:
        self.every_s = every_s
        self.last = time.monotonic()

    def due(self) -> bool:
        """Whether to save now; starts the next interval when it answers yes."""
        if time.monotonic() - self.last < self.every_s:
            return False
        self.last = time.monotonic()
        return True
