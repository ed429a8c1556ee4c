"""Held scenes: the same seed holds the same way, files read back whole, folders belong to one recipe."""

from pathlib import Path

import numpy as np
import pytest

from hoifield.actors.choose_actor import load_actor
from hoifield.actors.skinned_model import SkinnedModel
from hoifield.errors import RefusedInput
from hoifield.priors.geometry_view import GeometryView
from hoifield.synthetic.geometry_lessons import PosedScene, draw_lessons
from hoifield.synthetic.held_scenes import HELD_OUT_RECIPE, TAUGHT_RECIPE, HeldScene, SceneRecipe, draw_held_scene, make_held_scenes, read_scenes

RECIPE = SceneRecipe(("box",), (1, 999), False, 0.004)


@pytest.fixture(scope="module")
def right_hand() -> SkinnedModel:
    return load_actor("anny", "right")


@pytest.fixture(scope="module")
def scene(right_hand: SkinnedModel) -> HeldScene:
    return draw_held_scene(right_hand, np.random.default_rng((3, 71)), 3, RECIPE)


@pytest.fixture(scope="module")
def posed(scene: HeldScene, right_hand: SkinnedModel) -> PosedScene:
    return PosedScene.of(scene, right_hand)


def test_a_folder_keeps_what_it_has_and_reads_back_whole(tmp_path: Path, scene: HeldScene, right_hand: SkinnedModel) -> None:
    said: list[str] = []
    assert make_held_scenes(tmp_path, right_hand, range(3, 4), RECIPE, said.append) == 1
    assert make_held_scenes(tmp_path, right_hand, range(3, 4), RECIPE, said.append) == 1
    assert said == ["scene 3: box"]
    (read,) = read_scenes(tmp_path)
    assert read.category == "box" and read.touching == scene.touching
    assert np.array_equal(read.pose, scene.pose) and np.array_equal(read.T_hand_object, scene.T_hand_object)
    assert np.allclose(read.object_mesh.vertices, scene.object_mesh.vertices, atol=1e-6)
    assert np.array_equal(read.object_mesh.faces, scene.object_mesh.faces)


def test_a_folder_of_another_recipe_is_refused(tmp_path: Path, right_hand: SkinnedModel) -> None:
    make_held_scenes(tmp_path, right_hand, range(0), RECIPE, lambda line: None)
    with pytest.raises(RefusedInput, match="HF-SYN-013"):
        make_held_scenes(tmp_path, right_hand, range(0), TAUGHT_RECIPE, lambda line: None)


def test_what_is_scored_with_is_never_taught() -> None:
    assert "tool" in HELD_OUT_RECIPE.objects and "tool" not in TAUGHT_RECIPE.objects
    assert HELD_OUT_RECIPE.instances[0] > TAUGHT_RECIPE.instances[1]


def test_a_stretch_keeps_the_normals_normal(scene: HeldScene) -> None:
    stretch = scene.draw_stretch(np.random.default_rng(5))
    generator = np.random.default_rng(6)
    along, across = generator.normal(size=(2, 40, 3))
    normals = np.cross(along, across)
    turned = stretch.normals(normals / np.linalg.norm(normals, axis=1, keepdims=True))
    moved = stretch.factors * along
    assert np.allclose((turned * moved).sum(1), 0, atol=1e-9)
    assert np.allclose(np.linalg.norm(turned, axis=1), 1)
    assert np.allclose(stretch.points(stretch.middle[None]), stretch.middle)


def test_lessons_follow_from_the_generator_and_show_hand_and_object(posed: PosedScene) -> None:
    one, same = (draw_lessons((posed,), np.random.default_rng(8), 6) for _ in range(2))
    other = draw_lessons((posed,), np.random.default_rng(9), 6)
    assert np.array_equal(one.object_picture, same.object_picture) and not np.array_equal(one.object_picture, other.object_picture)
    assert ((one.object_picture[:, 0] > 0).flatten(1).sum(1) > 20).all() and ((one.hand_picture[:, 0] > 0).flatten(1).sum(1) > 100).all()
    assert (one.object_picture.abs() <= 1).all() and (one.category == 3).all()


def test_the_object_lies_beside_the_hand_and_not_in_it(posed: PosedScene) -> None:
    view = GeometryView(np.eye(3), posed.centre)
    plain, _ = posed.seen(view)
    moved, _ = posed.seen(view, posed.draw_change(np.random.default_rng(0)))
    assert (plain[0] > 0).any() and not np.array_equal(plain, moved)
