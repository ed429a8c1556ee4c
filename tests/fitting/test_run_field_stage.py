"""What a field stage holds still, and what it compares."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_scene import FIT_FRAMES, TINY, make_exact_ball, measured_pixels, tiny_pixels, tiny_scene

from hoifield.fitting.frame_pixels import FramePixels
from hoifield.fitting.run_field_stage import build_optimiser, field_losses, held_parameters, read_object_grid, run_field_stage
from hoifield.fitting.stage import FieldStage
from hoifield.pipelines.presets import EVERYTHING
from hoifield.renderer.render_rays import SamplingConfig

STAGE = FieldStage("field", 10, EVERYTHING, pose_warm_up=0.2, shape_warm_up=0.4)


def test_poses_and_shape_wait_each_for_its_share_of_the_steps_and_nothing_else_does():
    optimiser = build_optimiser(tiny_scene(replace(TINY, colour_table_size=2**10)), STAGE)
    shape = {name for name in optimiser.parameters if name.startswith("object_distance.")}
    poses = {name for name in optimiser.parameters if name.startswith("frames.")}
    assert shape and poses
    assert held_parameters(optimiser, STAGE, 0.1) == shape | poses
    assert held_parameters(optimiser, STAGE, 0.3) == shape
    assert held_parameters(optimiser, STAGE, 0.5) == frozenset()
    assert held_parameters(optimiser, replace(STAGE, shape_warm_up=0.0), 0.1) == poses


def label_loss_of(stage: FieldStage, outline_wrong: bool) -> float:
    scene = tiny_scene()
    batch = tiny_pixels().draw(np.arange(len(FIT_FRAMES)), 600, np.random.default_rng(0))
    if outline_wrong:
        swapped = torch.where(batch.outline > 0, -1 - batch.label, batch.label)
        batch = replace(batch, label=swapped)
    with torch.no_grad():
        found = field_losses(scene, stage, batch, read_object_grid(scene), SamplingConfig(0.0005, 16, 8), torch.Generator().manual_seed(0))
    return float(found["label"])


def test_labels_on_the_outline_count_only_where_the_stage_says_so():
    without, given = replace(STAGE, outline_label=0.0), replace(STAGE, outline_label=1.0)
    assert label_loss_of(without, True) == label_loss_of(without, False)
    assert label_loss_of(given, True) > 1.5 * label_loss_of(given, False)


def test_a_stage_that_carves_has_steps_only_where_something_is_carved_and_carves_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = FieldStage("carving", 2, ("object_colour",), rays=64, carving_steps=5)
    asked: list[int] = []

    def steps_of(carves: bool, first: int = 0) -> list[int]:
        scene, done = tiny_scene(), list[int]()
        monkeypatch.setattr("hoifield.fitting.run_field_stage.carve_object", lambda *given: asked.append(given[3]) or carves)
        run_field_stage(scene, stage, tiny_pixels(), 0, build_optimiser(scene, stage), first, lambda report, at_cache: done.append(report.step))
        return done

    assert steps_of(False) == [] and steps_of(True) == [0, 1]
    assert steps_of(True, first=1) == [1], "a stage that was stopped goes on with the shape it was saved with"
    assert asked == [5, 5]


def depth_losses_of(pixels: FramePixels, farther: float) -> dict[str, torch.Tensor]:
    scene = tiny_scene()
    make_exact_ball(scene)
    stage = replace(STAGE, weights=replace(STAGE.weights, depth=0.2, looked_through=0.2))
    with torch.no_grad():
        scene.frames.object_translation[:, 2] += farther
        batch = pixels.draw(np.arange(len(FIT_FRAMES)), 400, np.random.default_rng(0))
        return field_losses(scene, stage, batch, read_object_grid(scene), SamplingConfig(0.0005, 16, 8), torch.Generator().manual_seed(0))


def test_measured_points_lie_on_the_surface_and_nothing_stands_before_them():
    exact, behind, before = (depth_losses_of(measured_pixels(), farther) for farther in (0.0, 0.006, -0.006))
    assert float(exact["depth"]) < 0.02 < 0.15 < min(float(behind["depth"]), float(before["depth"]))
    assert float(exact["looked_through"]) < 0.001 and float(behind["looked_through"]) < 0.001 < 0.004 < float(before["looked_through"])


def test_without_a_sensor_there_is_no_loss_of_depth_and_all_else_is_the_same():
    without, given = depth_losses_of(tiny_pixels(), 0.0), depth_losses_of(measured_pixels(), 0.0)
    assert set(given) - set(without) == {"depth", "looked_through"}
    assert all(torch.equal(without[name], given[name]) for name in without if name != "eikonal")


def test_matter_beyond_the_hull_counts_only_where_the_stage_says_so():
    batch = tiny_pixels().draw(np.arange(len(FIT_FRAMES)), 100, np.random.default_rng(0))

    def losses_of(weight: float, shrunk: float) -> dict[str, torch.Tensor]:
        scene = tiny_scene()
        scene.hull = replace(scene.hull, values=scene.hull.values + shrunk, before=None)
        stage = replace(STAGE, weights=replace(STAGE.weights, beyond_hull=weight))
        with torch.no_grad():
            return field_losses(scene, stage, batch, read_object_grid(scene), SamplingConfig(0.0005, 16, 8), torch.Generator().manual_seed(0))

    assert "beyond_hull" not in losses_of(0.0, 0.02)
    as_it_was, smaller = (float(losses_of(1.0, shrunk)["beyond_hull"]) for shrunk in (0.0, 0.02))
    assert as_it_was < 0.1
    assert smaller > 10 * max(as_it_was, 0.1)
