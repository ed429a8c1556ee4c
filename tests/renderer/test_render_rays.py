"""Rays through a scene whose answer is known: a ball, and a hand before or behind it."""

import numpy as np
import pytest
import torch
from tiny_scene import RADIUS, SIZE, ball_on_hand, make_exact_ball, tiny_scene

from hoifield.fitting.run_field_stage import read_object_grid
from hoifield.geometry.cameras import pixel_directions, project
from hoifield.losses.pixel_agreement import hand_before_object_loss, label_loss
from hoifield.renderer.render_rays import FAR_WIDTHS, RayTrace, SamplingConfig, render_rays
from hoifield.scene.scene import Scene

SHARP = SamplingConfig(width=0.0005, object_samples=32, hand_samples=16)


def ball_scene() -> Scene:
    scene = tiny_scene()
    make_exact_ball(scene)
    return scene


def trace(scene: Scene, pixel: torch.Tensor, sampling: SamplingConfig = SHARP, seed: int = 0, row: int = 0) -> RayTrace:
    """What pixels of one fitted frame see, without gradients."""
    with torch.no_grad():
        return trace_with_gradient(scene, pixel, sampling, seed, row)


def trace_with_gradient(scene: Scene, pixel: torch.Tensor, sampling: SamplingConfig, seed: int, row: int) -> RayTrace:
    rows = torch.full((len(pixel),), row)
    return render_rays(scene, read_object_grid(scene), rows, pixel, sampling, torch.Generator().manual_seed(seed))


def centre_of_ball(scene: Scene, row: int = 0) -> torch.Tensor:
    return scene.frames.T_camera_object(torch.tensor([row]))[0, :3, 3].detach()


def pixels_of_ball(scene: Scene, reach: float) -> torch.Tensor:
    """Pixels within `reach` radii of the ball's middle, upper half: the hand lies below."""
    middle = project(centre_of_ball(scene), scene.K)
    radius = float(scene.K[0, 0] * RADIUS / centre_of_ball(scene)[2])
    angles = torch.linspace(np.pi, 2 * np.pi, 40)
    shares = torch.linspace(0.1, reach, 40)
    return middle + radius * shares[:, None] * torch.stack([angles.cos(), angles.sin()], 1)


def put_palm_at(scene: Scene, place: torch.Tensor) -> None:
    """Moves the hand of every frame so that the middle of its palm lies at a point of the camera frame."""
    actor, poses = scene.hands()[0]
    palm = 0.6 * actor.model.joint_template[[1, 4, 7, 10]].mean(0)
    T = poses.T_camera_hand().detach()
    with torch.no_grad():
        poses.translation += place - (T[:, :3, :3] @ palm + T[:, :3, 3])


def test_rays_through_a_ball_give_its_depth_and_normal():
    scene = ball_scene()
    pixel = pixels_of_ball(scene, 0.9)
    direction, centre = pixel_directions(pixel, scene.K), centre_of_ball(scene)
    along = direction @ centre
    hit = along - (RADIUS**2 - (centre @ centre - along**2)).sqrt()
    normal = (hit[:, None] * direction - centre) / RADIUS
    rendering = trace(scene, pixel).rendering
    assert float(rendering.entity_weight[:, 0].min()) > 0.98
    assert float((rendering.depth - hit).abs().max()) < 0.0015
    assert float((torch.nn.functional.normalize(rendering.normal, dim=-1) * normal).sum(-1).min()) > 0.98


def test_a_ray_beside_everything_sees_the_background_of_its_frame_alone():
    scene = ball_scene()
    pixel = torch.tensor([[2.5, 2.5], [90.5, 5.5]])
    rendering = trace(scene, pixel, row=3).rendering
    assert torch.allclose(rendering.background_weight, torch.ones(2), atol=1e-6)
    expected = scene.background_colour(pixel_directions(pixel, scene.K), torch.tensor([3, 3]))
    assert torch.allclose(rendering.colour, expected, atol=1e-6)
    assert float(rendering.depth.detach().abs().max()) < 1e-6


def test_a_hand_before_the_ball_hides_it_and_a_hand_behind_it_is_hidden():
    scene = ball_scene()
    centre = centre_of_ball(scene)
    pixel = project(centre, scene.K)[None]
    toward = centre / centre.norm()
    put_palm_at(scene, centre - 0.08 * toward)
    before = trace(scene, pixel).rendering
    assert float(before.entity_weight[0, 1]) > 0.98 and float(before.entity_weight[0, 0]) < 0.02
    assert float(before.depth) < float(centre.norm()) - RADIUS - 0.02
    put_palm_at(scene, centre + 0.08 * toward)
    behind = trace(scene, pixel).rendering
    assert float(behind.entity_weight[0, 0]) > 0.98 and float(behind.entity_weight[0, 1]) < 0.02
    assert float(behind.depth) == pytest.approx(float(centre.norm()) - RADIUS, abs=0.0015)


def test_what_rays_stop_at_is_what_the_masks_say():
    scene = ball_scene()
    labels = ball_on_hand().observations.masks.labels
    yx = torch.tensor(np.stack(np.mgrid[2:SIZE:3, 2:SIZE:3], -1).reshape(-1, 2))
    for row, frame in ((0, 0), (3, 4)):
        rendering = trace(scene, yx.flip(1) + 0.5, row=row).rendering
        shares = torch.cat([rendering.background_weight[:, None], rendering.entity_weight], 1).detach()
        seen = labels[frame][yx[:, 0], yx[:, 1]]
        assert float((shares.argmax(1).numpy() == seen).mean()) > 0.98


def test_what_an_entity_would_show_alone_is_whole_where_another_hides_it_and_the_composite_where_it_is_alone():
    scene = ball_scene()
    centre = centre_of_ball(scene)
    put_palm_at(scene, centre - 0.08 * centre / centre.norm())
    found = trace(scene, project(centre, scene.K)[None])
    assert float(found.rendering.entity_weight[0, 0]) < 0.02
    assert float(found.alone_opacity.min()) > 0.98
    assert torch.allclose(found.alone_colour[:, 1], found.rendering.colour, atol=0.02)
    put_palm_at(scene, centre + torch.tensor([0.0, 2.0, 0.0]))
    found = trace(scene, pixels_of_ball(scene, 1.2))
    assert torch.allclose(found.alone_opacity[:, 0], found.rendering.entity_weight[:, 0], atol=1e-5)
    assert torch.allclose(found.alone_colour[:, 0], found.rendering.colour, atol=1e-5)


def test_shares_and_background_sum_to_one_and_colours_are_colours():
    scene = tiny_scene()
    pixel = torch.rand(300, 2, generator=torch.Generator().manual_seed(0)) * SIZE
    rendering = trace(scene, pixel, SamplingConfig(0.004, 12, 8)).rendering
    assert torch.allclose(rendering.entity_weight.sum(1) + rendering.background_weight, torch.ones(300), atol=1e-5)
    assert float(rendering.colour.min()) >= 0.0 and float(rendering.colour.max()) <= 1.0 + 1e-5


def test_the_same_seed_renders_the_same_to_the_last_bit():
    scene = tiny_scene()
    pixel = torch.rand(100, 2, generator=torch.Generator().manual_seed(0)) * SIZE
    first, second, other = (trace(scene, pixel, seed=seed).rendering.colour for seed in (1, 1, 2))
    assert torch.equal(first, second) and not torch.equal(first, other)


def test_far_samples_have_no_density_and_near_ones_the_field_itself():
    scene = ball_scene()
    found = trace(scene, pixels_of_ball(scene, 1.3))
    assert 0 < int(found.near.sum()) < found.near.numel()
    # The cache is off by less than its spacing, and a ray's far samples lie beyond the reach of every near one.
    reach = FAR_WIDTHS * SHARP.width + 2 * read_object_grid(scene).spacing
    assert float(found.object_distance.max()) < reach
    assert len(found.object_gradient) == int(found.near.sum())
    assert torch.allclose(found.object_gradient.norm(dim=-1), torch.ones(len(found.object_gradient)), atol=1e-3)


def label_loss_at(scene: Scene, shift: torch.Tensor) -> torch.Tensor:
    """Label and depth order losses of a grid of pixels of frame 0 with the ball moved from its place."""
    frame, row = 0, 0
    yx = torch.tensor(np.stack(np.mgrid[24:76, 24:76], -1).reshape(-1, 2))
    seen = torch.tensor(ball_on_hand().observations.masks.labels[frame][yx[:, 0], yx[:, 1]]).long()
    shifted = torch.zeros_like(scene.frames.object_translation)
    shifted[row] = shift
    scene.frames.object_translation.data.copy_(shifted)
    found = trace_with_gradient(scene, yx.flip(1) + 0.5, SamplingConfig(0.004, 16, 8), 0, row)
    certain = torch.ones(len(seen))
    order = hand_before_object_loss(found.alone_opacity, found.rendering.entity_weight, seen - 1, certain)
    return label_loss(found.alone_opacity, seen - 1, certain) + order


@pytest.mark.parametrize("shift", [(0.004, 0.0, 0.0), (-0.004, 0.0, 0.0), (0.0, -0.004, 0.0)])
def test_labels_pull_a_displaced_object_back_and_the_gradient_is_that_of_finite_differences(shift: tuple[float, float, float]):
    scene, moved = ball_scene(), torch.tensor(shift)
    label_loss_at(scene, moved).backward()
    gradient = scene.frames.object_translation.grad[0]  # type: ignore[index]
    axis = int(moved.abs().argmax())
    step = torch.zeros(3)
    step[axis] = 0.0005
    with torch.no_grad():
        slope = float(label_loss_at(scene, moved + step) - label_loss_at(scene, moved - step)) / 0.001
        at_place = float(label_loss_at(scene, torch.zeros(3)))
        assert float(label_loss_at(scene, moved)) > at_place
    assert float(gradient[axis]) * float(moved[axis]) > 0
    assert float(gradient[axis]) == pytest.approx(slope, rel=0.2)
