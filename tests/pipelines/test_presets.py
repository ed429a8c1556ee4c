"""Presets: amounts of work that grow, stages that can be carried out."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_scene import ball_on_hand

from hoifield.fitting.stage import FieldStage, PlacementStage, Stage, last_width
from hoifield.observations.object_track import KnownShape, PoseSource
from hoifield.pipelines.presets import EVERYTHING, build_preset, choose_curves, for_cavities, for_few_sides, for_known_shape, for_loose_poses, preset_for


def test_finer_presets_do_more_of_everything():
    draft, standard, fine = (build_preset(name, 0) for name in ("draft", "standard", "fine"))  # type: ignore[arg-type]
    assert draft.most_frames < standard.most_frames < fine.most_frames
    assert draft.mesh_resolution < standard.mesh_resolution < fine.mesh_resolution
    steps = [sum(stage.steps for stage in preset.stages) for preset in (draft, standard, fine)]
    assert steps == sorted(set(steps))


def test_names_of_stages_differ_and_a_field_stage_comes_before_any_placement():
    for name in ("draft", "standard", "fine"):
        stages = build_preset(name, 0).stages  # type: ignore[arg-type]
        assert len({stage.name for stage in stages}) == len(stages)
        assert isinstance(stages[0], FieldStage) and any(isinstance(stage, PlacementStage) for stage in stages)


def test_surfaces_narrow_and_every_step_has_pixels_of_each_of_its_frames():
    for name in ("draft", "standard", "fine"):
        for stage in build_preset(name, 0).stages:  # type: ignore[arg-type]
            if isinstance(stage, FieldStage):
                assert stage.width_end < stage.width_start
                assert stage.rays >= stage.frames_per_step
                assert set(stage.free) <= set(EVERYTHING)


def test_the_last_width_is_that_of_the_last_field_stage():
    stages = build_preset("draft", 0).stages
    fields = [stage for stage in stages if isinstance(stage, FieldStage)]
    assert last_width(stages) == fields[-1].width_end == min(stage.width_end for stage in fields)
    assert last_width(()) == 0.0


def test_the_seed_reaches_the_scene_and_changes_nothing_else():
    first, second = build_preset("draft", 0), build_preset("draft", 7)
    assert (first.scene.seed, second.scene.seed) == (0, 7) and first.stages == second.stages


def test_every_preset_has_the_stages_that_runs_are_compared_by():
    for name in ("nano", "draft", "standard", "fine"):
        preset = build_preset(name, 0)  # type: ignore[arg-type]
        for stages in (preset.stages, for_loose_poses(preset).stages, for_few_sides(preset).stages):
            assert [stage.name for stage in stages] == list(choose_curves())


def test_a_known_shape_is_held_in_every_stage_and_nothing_else_is():
    preset = build_preset("draft", 0)
    held = for_known_shape(preset)
    for before, after in zip(preset.stages, held.stages, strict=True):
        if isinstance(before, FieldStage) and isinstance(after, FieldStage):
            assert set(before.free) - set(after.free) == {"object_shape"}
            after = replace(after, free=before.free)
        assert after == before
    assert held.scene.colour_table_size > 0, "colours can no longer lean on the shape's features"


def test_cavities_are_carved_between_the_final_fit_and_touch_under_a_shape_that_is_held_and_nothing_else_changes():
    preset = build_preset("draft", 0)
    *before, carving, touch = for_cavities(preset).stages
    assert (*before, touch) == preset.stages and touch.name == "touch"
    assert isinstance(carving, FieldStage) and carving.carving_steps > 0 and "object_shape" not in carving.free
    assert last_width(for_cavities(preset).stages) == last_width(preset.stages)


@pytest.mark.parametrize(("source", "known", "carves"), [("motion", False, True), ("hand", False, False), ("motion", True, False)])
def test_only_a_shape_that_is_fitted_under_poses_from_motion_is_carved(source: PoseSource, known: bool, carves: bool):
    observations = ball_on_hand().observations
    track = observations.object_track
    assert track is not None
    track = replace(track, source=(source,) * len(track.source), known_shape=KnownShape(1.0, np.zeros(3), 1.0) if known else None)
    stages = preset_for(build_preset("draft", 0), replace(observations, object_track=track)).stages
    assert ("carving" in [stage.name for stage in stages]) is carves


def test_where_few_sides_are_seen_hidden_surface_is_held_and_nothing_else_changes():
    preset = build_preset("draft", 0)
    for before, after in zip(preset.stages, for_few_sides(preset).stages, strict=True):
        if isinstance(before, FieldStage) and isinstance(after, FieldStage):
            assert before.weights.like_hull == 0.0 < after.weights.like_hull
            after = replace(after, weights=before.weights)
        assert after == before


def test_after_the_first_placement_pixels_leave_the_hand_and_touch_leaves_the_object_s_turn_unless_poses_are_loose():
    def of(stages: tuple[Stage, ...]) -> tuple[list[bool], list[bool]]:
        moves = ["hand_root" in stage.free for stage in stages if isinstance(stage, FieldStage)]
        return moves, [stage.turns_object for stage in stages if isinstance(stage, PlacementStage)]

    preset = build_preset("draft", 0)
    assert of(preset.stages) == ([True, False], [True, False])
    assert of(for_loose_poses(preset).stages) == ([True, True], [True, True])
