"""Everything of a clip before its pictures: actor, object, grasp, motion and camera of a recipe."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from hoifield.actors.choose_actor import load_actor
from hoifield.actors.rigged_hand import load_rigged_hand
from hoifield.actors.skinned_model import Side, SkinnedModel
from hoifield.synthetic.appearance import Look
from hoifield.synthetic.clip_motion import make_clip_motion
from hoifield.synthetic.clip_recipe import ClipRecipe
from hoifield.synthetic.grasp import GraspSearch
from hoifield.synthetic.grasp_check import Grasp
from hoifield.synthetic.hand_object_motion import HandObjectMotion
from hoifield.synthetic.object_shapes import make_held_object
from hoifield.synthetic.render_clip import object_colours
from hoifield.synthetic.scene_mesh import SceneParts
from hoifield.synthetic.second_grasp import find_second_grasp


@dataclass(frozen=True)
class ClipScene:
    """What is filmed, how it moves, and the camera."""

    parts: SceneParts
    grasp: Grasp
    """The first grasp; a hand that lets go takes another one later."""
    motion: HandObjectMotion
    look: Look
    K: Float[np.ndarray, "3 3"]
    second_grasp: Grasp | None = None
    """That of a second hand which holds."""


def build_clip_scene(recipe: ClipRecipe) -> ClipScene:
    """The scene, the grasp and the motion of a recipe."""
    generator = np.random.default_rng(recipe.seed)
    shape = np.clip(0.6 * generator.normal(size=10), -1.2, 1.2).astype(np.float32).astype(np.float64)
    actor, shape = _filmed_hand(recipe, recipe.side, shape)
    focal_ratio = recipe.focal_ratio if recipe.focal_ratio is not None else float(generator.uniform(0.95, 1.2))
    look = Look.of(recipe.seed, recipe.skin)
    held = make_held_object(recipe.object, recipe.instance)
    second = None if recipe.second_hand == "none" else _filmed_hand(recipe, "left" if recipe.side == "right" else "right", shape)[0]
    parts = SceneParts.of(actor, shape, object_colours(held.mesh, look), second)
    search = GraspSearch(actor, parts.object_mesh, torch.from_numpy(shape).float(), recipe.seed, held.grips)
    grasp = search.find()
    second_grasp = find_second_grasp(parts, grasp, recipe.seed) if recipe.second_hand == "holding" else None
    motion = make_clip_motion(recipe, parts, search, grasp, focal_ratio, second_grasp)
    focal = focal_ratio * recipe.size
    K = np.array([[focal, 0.0, recipe.size / 2], [0.0, focal, recipe.size / 2], [0.0, 0.0, 1.0]])
    return ClipScene(parts, grasp, motion, look, K, second_grasp)


def _filmed_hand(
    recipe: ClipRecipe, side: Side, shape: Float[np.ndarray, "component=10"]
) -> tuple[SkinnedModel, Float[np.ndarray, "component=10"]]:
    """The built-in hand of that side and shape, or the rigged hand of the recipe, which has one shape only."""
    if recipe.hand_model is None:
        return load_actor("anny", side), shape
    return load_rigged_hand(Path(recipe.hand_model), side), np.zeros(10)
