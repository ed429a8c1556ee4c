"""What the anchors start from, and how they are scheduled."""

from dataclasses import replace

import numpy as np
import pytest

from hoifield.benchmark import true_observations
from hoifield.benchmark.schedules import diffhoi_schedule, exact_poses_preset, hold_schedule, without_contact
from hoifield.benchmark.true_observations import observe_truth
from hoifield.clip.open_clip import open_clip
from hoifield.datasets.read_truth import read_truth
from hoifield.errors import RefusedInput
from hoifield.fitting.stage import FieldStage, PlacementStage
from hoifield.geometry.mesh import signed_volume
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.pipelines.presets import build_preset
from hoifield.synthetic.clip_recipe import ClipRecipe
from hoifield.synthetic.make_clip import make_clip

FRAMES = 12


@pytest.fixture(scope="module")
def truth_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("truth")
    make_clip(ClipRecipe(object="box", frames=FRAMES, size=96, seed=3), folder)
    return folder


def test_perfect_eyes_see_the_true_poses_and_a_hull_that_holds_the_object(truth_folder):
    truth, clip = read_truth(truth_folder), open_clip(truth_folder / "clip.mp4")
    seen = observe_truth(clip, truth, most_frames=5)
    assert seen.hands == () and len(seen.fit_frames) == 5 and (np.diff(seen.fit_frames) > 0).all()
    assert np.array_equal(seen.object_track.T_camera_object, truth.result.T_camera_object)
    assert np.array_equal(seen.masks.labels, np.stack([truth.read_labels(frame) for frame in range(FRAMES)]))
    outside = MeshDistance(seen.object_track.hull.vertices, seen.object_track.hull.faces).closest(truth.result.object_mesh.vertices).signed_distance
    pixel = truth.result.T_camera_object[:, 2, 3].max() / truth.result.K[0, 0, 0]
    shown = truth.vertex_seen
    print(f"pixel {1e3 * pixel:.1f} mm; seen vertices outside the hull by {1e3 * np.percentile(outside[shown], 95):.1f} mm (95 %)")
    assert np.percentile(outside[shown], 95) < 2 * pixel


def test_the_true_hand_leaves_no_ghost_in_the_hull_and_a_doubted_one_does(truth_folder, monkeypatch):
    truth, clip = read_truth(truth_folder), open_clip(truth_folder / "clip.mp4")
    exact = signed_volume(observe_truth(clip, truth, most_frames=5).object_track.hull)
    monkeypatch.setattr(true_observations, "EXACT_CARVING", replace(true_observations.EXACT_CARVING, hand_margin=0.012))
    doubted = signed_volume(observe_truth(clip, truth, most_frames=5).object_track.hull)
    true_volume = signed_volume(truth.result.object_mesh)
    print(f"hull over true volume: {exact / true_volume:.2f}, of a hand doubted by 12 mm {doubted / true_volume:.2f}")
    assert 0.9 * true_volume < exact < 0.95 * doubted


def test_a_truth_without_masks_or_without_the_object_cannot_be_seen(truth_folder):
    truth, clip = read_truth(truth_folder), open_clip(truth_folder / "clip.mp4")
    for blind in (replace(truth, read_labels=None), replace(truth, read_labels=lambda frame: np.zeros((96, 96), np.uint8))):
        with pytest.raises(RefusedInput) as refusal:
            observe_truth(clip, blind, most_frames=5)
        assert refusal.value.code == "HF-BEN-003"


def test_without_contact_only_the_placement_stages_are_missing():
    preset = build_preset("draft", 0)
    assert without_contact(preset).stages == tuple(stage for stage in preset.stages if isinstance(stage, FieldStage))


def test_the_schedule_of_hold_attracts_and_never_pushes_out():
    coarse, contact, final = hold_schedule(build_preset("draft", 0)).stages
    assert isinstance(contact, PlacementStage) and contact.attraction > 0 and contact.penetration == contact.smooth_motion == contact.depth_order == 0
    for stage in (coarse, final):
        assert stage.weights.interpenetration == stage.weights.smooth_motion == stage.weights.depth_order == 0
    assert coarse.weights.label > final.weights.label


def test_the_schedule_of_diffhoi_compares_masks_alone_and_takes_the_steps_of_the_preset():
    preset = build_preset("draft", 0)
    (stage,) = diffhoi_schedule(preset).stages
    assert stage.weights.colour == 0 and stage.weights.label > 0
    assert stage.steps == sum(other.steps for other in preset.stages if isinstance(other, FieldStage))


def test_with_true_poses_only_the_field_is_free():
    (stage,) = exact_poses_preset(0).stages
    assert set(stage.free) == {"object_shape", "object_colour", "background"}
