"""Lessons that complete shapes: the full hull is one, the answer lies where the carving is, and a seed gives one lesson."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from hoifield.actors.choose_actor import load_actor
from hoifield.geometry.mesh import Mesh
from hoifield.priors.completion_network import CLIPPED
from hoifield.synthetic.completion_lessons import CompletionLesson, HeldHull, draw_completion_lesson, full_hull
from hoifield.synthetic.held_scenes import SceneRecipe, draw_held_scene


def as_mesh(solid: trimesh.Trimesh) -> Mesh:
    return Mesh(np.asarray(solid.vertices, float), np.asarray(solid.faces))


@pytest.fixture(scope="module")
def held() -> HeldHull:
    actor = load_actor("anny", "right")
    return HeldHull.of(draw_held_scene(actor, np.random.default_rng((3, 71)), 3, SceneRecipe(("box",), (1, 999), False, 0.004)), actor)


def draw(held: HeldHull, seed: int) -> CompletionLesson:
    generator = np.random.default_rng(seed)
    return next(lesson for lesson in iter(lambda: draw_completion_lesson(held, generator), held) if lesson is not None)


def test_the_full_hull_of_a_ball_is_the_ball() -> None:
    ball = as_mesh(trimesh.creation.icosphere(4, 0.04).apply_translation([0.1, -0.02, 0.03]))
    hull = full_hull(ball)
    generator = np.random.default_rng(0)
    outward = generator.normal(size=(500, 3))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    for radius in (0.038, 0.040, 0.042):
        assert hull.at(np.array([0.1, -0.02, 0.03]) + radius * outward) == pytest.approx(np.full(500, radius - 0.04), abs=1.2e-3)


def test_the_full_hull_fills_a_cup_and_keeps_a_ring_open() -> None:
    ring = full_hull(as_mesh(trimesh.creation.torus(0.04, 0.01)))
    assert ring.at(np.zeros((1, 3)))[0] > 0.01 and ring.at(np.array([[0.04, 0.0, 0.0]]))[0] < -0.008
    profile = np.array([[0, 0], [0.04, 0], [0.04, 0.08], [0.036, 0.08], [0.036, 0.004], [0, 0.004]])
    cup = full_hull(as_mesh(trimesh.creation.revolve(profile, sections=48)))
    assert cup.at(np.array([[0.0, 0.0, 0.03]]))[0] < -0.02, "no silhouette sees into it"


def test_a_seed_gives_one_lesson(held: HeldHull) -> None:
    first, again, other = (draw(held, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.channels, again.channels) and np.array_equal(first.distance, again.distance)
    assert not np.array_equal(first.distance, other.distance)


def test_the_carving_holds_the_answer_which_is_smaller(held: HeldHull) -> None:
    for seed in range(4):
        lesson = draw(held, seed)
        assert np.abs(lesson.channels).max() <= 1 and np.abs(lesson.distance).max() <= CLIPPED
        carved, true = lesson.channels[0] < 0.34, lesson.distance < -1
        hidden = lesson.channels[1] > 0
        assert true.sum() > 200
        assert (carved | hidden)[true].mean() > 0.9
        assert (carved & ~hidden).sum() > true.sum()
        # a negative control: another lesson's answer is not what was carved here
        elsewhere = draw(held, seed + 50).distance < -1
        assert (carved | hidden)[np.roll(elsewhere, 16, 1)].mean() < 0.9


def test_an_object_that_the_hand_hides_is_no_lesson(held: HeldHull) -> None:
    fist = as_mesh(trimesh.creation.icosphere(2, 0.25).apply_translation(held.surface.vertices.mean(0)))
    assert draw_completion_lesson(replace(held, hand=fist), np.random.default_rng(1)) is None
    assert draw_completion_lesson(held, np.random.default_rng(1)) is not None
