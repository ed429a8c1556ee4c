"""Placement: hands that hover or sink come back to the surface; nothing else is dragged along."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_scene import FIT_FRAMES, RADIUS, ball_on_hand, exact_ball_grid, measured_observations, measured_pixels, right_hand, tiny_pixels, tiny_scene

from hoifield.actors.contact_zones import contact_zones
from hoifield.fitting.held_surface import surface_of_grid
from hoifield.fitting.placement_evidence import gather_placement_evidence
from hoifield.fitting.refine_placement import refine_placement, thin_skin
from hoifield.fitting.stage import PlacementStage
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.geometry.rigid import invert_rigid, transform_points
from hoifield.scene.scene import Scene

CONTACT_ALONE = PlacementStage("touch", 60, silhouette=0.0, same_colour=0.0, steady_path=0.0, keypoints=0.0, hand_outline=0.0, depth_order=0.0)
EVERYTHING = PlacementStage("placement", 60)


def displaced(millimetres: float) -> Scene:
    """The exact scene with the hand moved along the palm's normal: away from the ball where positive."""
    scene = tiny_scene()
    poses = scene.hands()[0][1]
    with torch.no_grad():
        poses.observed_T[:, :3, 3] += millimetres / 1000 * poses.observed_T[:, :3, 1]
    return scene


def nearest_of_zones(scene: Scene) -> torch.Tensor:
    """Signed distance (m) of the contact-zone vertex nearest to the ball (or deepest in it), per frame."""
    actor, poses = scene.hands()[0]
    with torch.no_grad():
        posed = actor.model.pose(poses.shape(), poses.pose(), poses.T_camera_hand())
        local = transform_points(invert_rigid(scene.frames.T_camera_object()), posed.vertices)
    zone = torch.cat(list(contact_zones(actor.model).values()))
    return (local[:, zone].norm(dim=-1) - RADIUS).amin(1)


def refined(scene: Scene, stage: PlacementStage) -> list[dict[str, float]]:
    evidence = gather_placement_evidence(ball_on_hand().observations, tiny_pixels(), seed=0)
    return refine_placement(scene, stage, surface_of_grid(exact_ball_grid(), 0), evidence)


def test_a_hand_that_hovers_five_millimetres_over_the_ball_is_brought_to_touch_it():
    scene = displaced(5.0)
    before = nearest_of_zones(scene)
    history = refined(scene, CONTACT_ALONE)
    after = nearest_of_zones(scene)
    assert float(before.min()) > 0.004
    # The palm around the touching point is drawn too, so that the ball settles a little in soft skin.
    assert -0.0035 < float(after.min()) and float(after.max()) < 0.001
    assert history[0]["penetration"] == 0.0


def test_a_hand_that_sinks_eight_millimetres_into_the_ball_is_brought_out_as_far_as_it_settles():
    scene = displaced(-8.0)
    before = nearest_of_zones(scene)
    history = refined(scene, CONTACT_ALONE)
    assert float(before.max()) < -0.006
    assert float(nearest_of_zones(scene).min()) > -0.004
    assert history[-1]["penetration"] < 0.25 * history[0]["penetration"]


def test_penetration_alone_brings_the_hand_out_to_the_tolerance():
    scene = displaced(-5.0)
    refined(scene, replace(CONTACT_ALONE, attraction=0.0, steps=90))
    assert -0.0025 < float(nearest_of_zones(scene).min()) and float(nearest_of_zones(scene).max()) < 0.0005


def test_a_hand_beyond_reach_is_left_alone():
    scene = displaced(30.0)
    before = nearest_of_zones(scene)
    refined(scene, CONTACT_ALONE)
    assert float(before.min()) > CONTACT_ALONE.contact_reach
    assert torch.equal(nearest_of_zones(scene), before)


def test_with_all_evidence_the_hand_comes_back_to_its_true_place():
    scene = displaced(5.0)
    poses = scene.hands()[0][1]
    truth = poses.T_camera_hand().detach()[:, :3, 3] - 0.005 * poses.observed_T[:, :3, 1]
    refined(scene, EVERYTHING)
    error = (poses.T_camera_hand().detach()[:, :3, 3] - truth).norm(dim=1)
    assert float(error.max()) < 0.003


@pytest.mark.parametrize("axis", [0, 1])
def test_silhouettes_bring_a_displaced_object_back(axis: int):
    scene = tiny_scene()
    with torch.no_grad():
        scene.frames.observed_T_camera_object[:, axis, 3] -= 0.015
    refined(scene, replace(EVERYTHING, steps=90, attraction=0.0, penetration=0.0, small_motion=0.0))
    left = scene.frames.object_translation.detach()[:, axis] - 0.015
    # Pixels of this picture are 3 mm wide at the object.
    assert float(left.abs().max()) < 0.006


def test_an_exact_scene_stays_where_it_is_but_for_settling_into_the_palm():
    scene = tiny_scene()
    refined(scene, replace(EVERYTHING, attraction=0.0))
    # A third of a pixel, which is 3 mm wide here.
    assert float(scene.frames.object_translation.detach().abs().max()) < 1e-3
    assert float(scene.hands()[0][1].translation.detach().abs().max()) < 1e-3
    refined(scene, EVERYTHING)
    assert float(scene.frames.object_translation.detach().abs().max()) < 0.004
    assert float(nearest_of_zones(scene).min()) > -0.0035


def test_a_stage_that_does_not_turn_the_object_only_moves_it():
    for turns in (True, False):
        scene = displaced(-8.0)
        with torch.no_grad():
            scene.frames.observed_T_camera_object[:, 0, 3] -= 0.01
        refined(scene, replace(EVERYTHING, steps=20, turns_object=turns))
        assert bool((scene.frames.object_rotation.detach() != 0).any()) == turns
        assert float(scene.frames.object_translation.detach()[:, 0].mean()) > 0.001


def test_placement_repeats_to_the_last_bit_and_leaves_the_fields_alone():
    first, second = displaced(5.0), displaced(5.0)
    short = replace(EVERYTHING, steps=4)
    assert refined(first, short) == refined(second, short)
    start, end = displaced(5.0).state_dict(), first.state_dict()
    moved = {name for name in end if not torch.equal(end[name], start[name])}
    assert moved <= {"frames.object_rotation", "frames.object_translation", "frames.hands.0.articulation"} | {
        f"frames.hands.0.{name}" for name in ("translation", "rotation", "shape_change")
    }
    assert all(torch.equal(tensor, second.state_dict()[name]) for name, tensor in end.items())


def test_the_thinned_skin_holds_all_that_touches():
    model = right_hand()
    kept, zones = thin_skin(model, 4)
    for found, zone in zip(zones, contact_zones(model).values(), strict=True):
        assert torch.equal(kept[found], zone)
    assert len(kept) < 0.6 * len(model.template)


OUTLINE_ALONE = replace(CONTACT_ALONE, steps=120, attraction=0.0, penetration=0.0, small_motion=0.0, smooth_motion=0.0, hand_outline=4.0)


def covered_by_hand(scene: Scene) -> float:
    """IoU of the drawn hand with its mask where neither the ball is, nor its mask; mean over the frames."""
    actor, poses = scene.hands()[0]
    with torch.no_grad():
        posed = actor.model.pose(poses.shape(), poses.pose(), poses.T_camera_hand()).vertices.double().numpy()
    overlaps = []
    for row, frame in enumerate(FIT_FRAMES):
        labels = ball_on_hand().observations.masks.labels[frame]
        _, face, _ = rasterise_mesh(posed[row], actor.model.faces.numpy(), scene.K.double().numpy(), labels.shape[1], labels.shape[0])
        drawn, seen, counts = face >= 0, labels == 2, labels != 1
        overlaps.append((drawn & seen & counts).sum() / ((drawn | seen) & counts).sum())
    return float(np.mean(overlaps))


def test_its_outline_brings_a_hand_back_that_is_a_finger_and_more_beside_its_mask():
    scene = tiny_scene()
    with torch.no_grad():
        scene.hands()[0][1].observed_T[:, 1, 3] += 0.02
    before = covered_by_hand(scene)
    refined(scene, OUTLINE_ALONE)
    assert before < 0.5 and covered_by_hand(scene) > 0.85


def test_outlines_of_the_ball_before_the_palm_are_no_outlines_of_the_hand():
    """At the true poses all that is left of the loss is a fraction of a pixel, though most of what borders on the ball is the ball's own outline."""
    history = refined(tiny_scene(), replace(OUTLINE_ALONE, steps=1))
    assert history[0]["hand_outline"] / OUTLINE_ALONE.hand_outline < 0.003


DEPTH_ALONE = replace(CONTACT_ALONE, attraction=0.0, penetration=0.0, small_motion=0.0, limits=0.0)


def measured(scene: Scene, stage: PlacementStage) -> list[dict[str, float]]:
    evidence = gather_placement_evidence(measured_observations(), measured_pixels(), seed=0)
    return refine_placement(scene, stage, surface_of_grid(exact_ball_grid(), 0), evidence)


def test_measured_depth_brings_hand_and_object_back_along_the_view():
    scene = tiny_scene()
    poses = scene.hands()[0][1]
    with torch.no_grad():
        poses.observed_T[:, 2, 3] += 0.004
        scene.frames.observed_T_camera_object[:, 2, 3] += 0.005
    true_hand, true_object = (tensor[:, 2, 3].clone() for tensor in (tiny_scene().hands()[0][1].observed_T, tiny_scene().frames.observed_T_camera_object))
    history = measured(scene, DEPTH_ALONE)
    with torch.no_grad():
        assert float((poses.T_camera_hand()[:, 2, 3] - true_hand).abs().median()) < 0.0015
        assert float((scene.frames.T_camera_object()[:, 2, 3] - true_object).abs().median()) < 0.0015
    assert history[-1]["depth"] < 0.5 * history[0]["depth"]
    assert "depth" not in refined(tiny_scene(), replace(DEPTH_ALONE, steps=1))[0]
