"""Right hands that hold objects, as plain scenes: what pictures to learn from are drawn of, and the folder they are kept in."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.errors import InternalError, RefusedInput
from hoifield.geometry.mesh import Mesh
from hoifield.shapes.draw_family import SHAPE_NAMES
from hoifield.storage import write_file
from hoifield.synthetic.grasp import GraspSearch
from hoifield.synthetic.grasp_check import grasp_holds, grasp_is_likely
from hoifield.synthetic.object_shapes import GRID_SPACING, make_held_object
from hoifield.tensor_files import read_tensors, write_tensors

RECIPE = "recipe.json"
LARGEST_HELD = 0.36
"""Longest side to which an object is stretched, metres."""


@dataclass(frozen=True)
class SceneRecipe:
    """What scenes are drawn from."""

    objects: tuple[str, ...] = ("mug", "bottle", "bowl", "kettle", "knife", "toy-car", "tool", "box", "can", "ring")
    """Families or mesh files, in turn."""
    instances: tuple[int, int] = (1, 999)
    """First and last number of the families' objects; those of the benchmark have 1000 and more."""
    exact: bool = True
    """Whether grasps must hold by every check; else they need only be likely, which takes a tenth of the time."""
    grid_spacing: float = GRID_SPACING
    """Of the grid that the families' meshes come from, metres."""


TAUGHT_RECIPE = SceneRecipe(("mug", "bottle", "bowl", "kettle", "knife", "toy-car", "box", "can", "ring"), (1, 999), False, 0.002)
HELD_OUT_RECIPE = SceneRecipe(SceneRecipe.objects, (1000, 1999), False, 0.002)
"""For the geometry prior: 'tool' is a category that it is never taught."""


@dataclass(frozen=True)
class HeldScene:
    """One object in the grasp of a right hand, metres, hand frame."""

    category: str
    """The family, or the name of a mesh file."""
    shape: Float[np.ndarray, "component=10"]
    pose: Float[np.ndarray, "joint=16 3"]
    """Axis-angle; the root row is zero."""
    T_hand_object: Float[np.ndarray, "4 4"]
    touching: tuple[str, ...]
    """Fingers that touch the object."""
    object_mesh: Mesh
    """Object frame."""

    def draw_stretch(self, generator: np.random.Generator) -> "Stretch":
        """The object longer or shorter along its longest side, and a little across, about where the hand holds it."""
        extent = self.object_mesh.extent
        factors = np.exp(generator.normal(size=3) * 0.06)
        factors[extent.argmax()] = np.exp(generator.uniform(np.log(0.65), np.log(min(2.2, max(LARGEST_HELD / extent.max(), 0.66)))))
        held = np.linalg.inv(self.T_hand_object) @ np.array([-0.08, -0.03, 0.0, 1.0])
        return Stretch(factors, held[:3])


@dataclass(frozen=True)
class Stretch:
    """Scales along the axes of the object's frame about a point of it."""

    factors: Float[np.ndarray, "3"]
    middle: Float[np.ndarray, "3"]

    def points(self, points: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "point 3"]:
        """Where points go."""
        return self.middle + self.factors * (points - self.middle)

    def normals(self, normals: Float[np.ndarray, "point 3"]) -> Float[np.ndarray, "point 3"]:
        """Unit normals of the stretched surface."""
        turned = normals / self.factors
        return turned / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-9)


def draw_held_scene(actor: SkinnedModel, generator: np.random.Generator, seed: int, recipe: SceneRecipe) -> HeldScene:
    """The scene of a seed; what is drawn of it later comes from the same generator. Raises InternalError (HF-SYN-002) without a grasp."""
    shape = np.clip(0.8 * generator.normal(size=10), -1.6, 1.6)
    name, instance = recipe.objects[seed % len(recipe.objects)], int(generator.integers(recipe.instances[0], recipe.instances[1] + 1))
    held = make_held_object(name, instance if name in SHAPE_NAMES else 0, recipe.grid_spacing)
    search = GraspSearch(actor, held.mesh, torch.from_numpy(shape).float(), seed, held.grips)
    grasp = search.find(grasp_holds if recipe.exact else grasp_is_likely)
    return HeldScene(Path(name).stem, shape, grasp.pose, grasp.T_hand_object, grasp.touching, held.mesh)


def make_held_scenes(
    folder: Path, actor: SkinnedModel, seeds: range, recipe: SceneRecipe, announce: Callable[[str], None]
) -> int:
    """Scenes of `seeds`, a file each; those that are there are kept, seeds without a grasp are left out. Gives how many files there are.

    RefusedInput (HF-SYN-013) where the folder holds scenes of another recipe.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stated = json.dumps({"schema": "hoifield.held_scenes/1", "actor": actor.name, **asdict(recipe)}, indent=1) + "\n"
    if (folder / RECIPE).is_file() and (folder / RECIPE).read_text(encoding="utf-8") != stated:
        raise RefusedInput("HF-SYN-013", f"{str(folder)!r} holds scenes of another recipe", "name another folder")
    write_file(folder / RECIPE, stated.encode())
    for seed in seeds:
        path = folder / f"{seed:06d}.safetensors"
        if path.is_file():
            continue
        try:
            scene = draw_held_scene(actor, np.random.default_rng((seed, 71)), seed, recipe)
        except InternalError as error:
            announce(f"scene {seed}: {error}")
            continue
        write_scene(path, scene)
        announce(f"scene {seed}: {scene.category}")
    return len(list(folder.glob("*.safetensors")))


def write_scene(path: Path, scene: HeldScene) -> None:
    """One file, whole or absent."""
    tensors = {
        "shape": torch.from_numpy(scene.shape),
        "pose": torch.from_numpy(scene.pose),
        "T_hand_object": torch.from_numpy(scene.T_hand_object),
        "object_vertices": torch.from_numpy(scene.object_mesh.vertices).float(),
        "object_faces": torch.from_numpy(scene.object_mesh.faces).int(),
    }
    write_tensors(path, tensors, {"category": scene.category, "touching": ",".join(scene.touching)})


def read_scenes(folder: Path) -> tuple[HeldScene, ...]:
    """Every scene of a folder, in the order of their seeds."""
    return tuple(_read_scene(path) for path in sorted(folder.glob("*.safetensors")))


def _read_scene(path: Path) -> HeldScene:
    tensors, notes = read_tensors(path)
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    mesh = Mesh(arrays["object_vertices"].astype(np.float64), arrays["object_faces"].astype(np.int64))
    touching = tuple(name for name in notes["touching"].split(",") if name)
    return HeldScene(notes["category"], arrays["shape"], arrays["pose"], arrays["T_hand_object"], touching, mesh)
