"""A clip with exact truth: a hand grasps an object and turns it before a camera."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from hoifield.actors.choose_actor import load_actor
from hoifield.actors.skinned_model import SkinnedModel
from hoifield.errors import CannotCreateOutput
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.rotations import axis_angle_from_matrix
from hoifield.result.fit_result import FitResult, HandResult
from hoifield.result.result_folder import write_result
from hoifield.synthetic.appearance import Look
from hoifield.synthetic.background import draw_background
from hoifield.synthetic.clip_recipe import ClipRecipe
from hoifield.synthetic.grasp import Grasp, GraspSearch
from hoifield.synthetic.motion import make_motion
from hoifield.synthetic.object_shapes import make_object
from hoifield.synthetic.render_clip import SUPERSAMPLING, RenderedFrame, object_colours, render_frames
from hoifield.synthetic.scene_mesh import SceneMesh, build_scene


@dataclass(frozen=True)
class ClipScene:
    """Everything of a clip before its pictures."""

    actor: SkinnedModel
    shape: Float[np.ndarray, "component=10"]
    object_mesh: Mesh
    grasp: Grasp
    scene: SceneMesh
    look: Look
    K: Float[np.ndarray, "3 3"]
    T_camera_hand: Float[np.ndarray, "frame 4 4"]


def make_clip(recipe: ClipRecipe, folder: Path) -> FitResult:
    """Write a truth folder (clip.mp4, result.json, object.ply, poses.npz, masks, depth, truth.json, truth.npz); the truth is returned.

    `truth.npz` holds `vertex_seen`: which vertices of object.ply any frame shows. The same recipe gives the same pictures.
    """
    try:
        for name in ("masks", "depth"):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotCreateOutput("HF-SYN-005", f"{folder.name} cannot be created: {error.strerror}", "choose another folder") from error
    clip_scene = build_clip_scene(recipe)
    background = draw_background(SUPERSAMPLING * recipe.size, SUPERSAMPLING * recipe.size, recipe.seed)
    rendered = render_frames(clip_scene.scene, clip_scene.T_camera_hand, clip_scene.K, background, clip_scene.look, recipe.side)
    seen = np.zeros(len(clip_scene.object_mesh.vertices), dtype=bool)
    write_video(folder / "clip.mp4", _store_truth_pictures(rendered, folder, seen), (recipe.size, recipe.size), recipe.frames_per_second)
    np.savez_compressed(folder / "truth.npz", vertex_seen=seen)
    truth = _truth_of(clip_scene, recipe, folder / "clip.mp4")
    write_result(folder, truth)
    (folder / "truth.json").write_text(json.dumps(_describe(clip_scene, recipe, seen), indent=1) + "\n")
    return truth


def build_clip_scene(recipe: ClipRecipe) -> ClipScene:
    """The scene, the grasp and the motion of a recipe."""
    generator = np.random.default_rng(recipe.seed)
    actor = load_actor("anny", recipe.side)
    shape = np.clip(0.6 * generator.normal(size=10), -1.2, 1.2).astype(np.float32).astype(np.float64)
    focal_ratio = recipe.focal_ratio if recipe.focal_ratio is not None else float(generator.uniform(0.95, 1.2))
    look = Look.of(recipe.seed)
    object_mesh = object_colours(make_object(recipe.object), look)
    grasp = GraspSearch(actor, object_mesh, torch.from_numpy(shape).float(), recipe.seed).find()
    scene = build_scene(actor, shape, grasp, object_mesh, recipe.seed)
    T_camera_hand = make_motion(recipe.motion, recipe.side, scene.body, recipe.frames, focal_ratio, recipe.seed)
    focal = focal_ratio * recipe.size
    K = np.array([[focal, 0.0, recipe.size / 2], [0.0, focal, recipe.size / 2], [0.0, 0.0, 1.0]])
    return ClipScene(actor, shape, object_mesh, grasp, scene, look, K, T_camera_hand)


def _store_truth_pictures(
    frames: Iterable[RenderedFrame], folder: Path, seen: Bool[np.ndarray, "vertex"]
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Pass the pictures on while labels and depth are written and `seen` is filled."""
    for number, frame in enumerate(frames):
        millimetres = np.where(np.isfinite(frame.depth), np.round(1000 * frame.depth), 0).astype(np.uint16)
        cv2.imwrite(str(folder / "masks" / f"{number:06d}.png"), frame.labels)
        cv2.imwrite(str(folder / "depth" / f"{number:06d}.png"), millimetres)
        seen |= frame.object_seen
        yield frame.picture


def write_video(
    path: Path, pictures: Iterable[UInt8[np.ndarray, "height width 3"]], size: tuple[int, int], frames_per_second: float
) -> None:
    """An H.264 file of RGB pictures of `size` (width, height); one encoder thread, so that the same pictures give the same bytes."""
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(frames_per_second).limit_denominator(1001))
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.options = {"crf": "17", "preset": "fast", "threads": "1"}
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def _truth_of(clip_scene: ClipScene, recipe: ClipRecipe, clip: Path) -> FitResult:
    """The truth in the record of results."""
    count, poses = recipe.frames, clip_scene.T_camera_hand
    pose = np.tile(clip_scene.grasp.pose, (count, 1, 1))
    pose[:, 0] = axis_angle_from_matrix(torch.from_numpy(poses[:, :3, :3])).numpy()
    posed = clip_scene.actor.pose(
        torch.from_numpy(clip_scene.shape).float(), torch.from_numpy(pose).float(), torch.from_numpy(poses).float()
    )
    hand = HandResult(
        side=recipe.side,
        actor=clip_scene.actor.name,
        T_camera_hand=poses,
        pose=pose,
        shape=clip_scene.shape,
        vertices=posed.vertices.double().numpy(),
        joints=posed.keypoints.double().numpy(),
        faces=clip_scene.actor.faces.numpy(),
        confidence=np.ones(count),
    )
    return FitResult(
        frame_index=np.arange(count),
        time_s=np.arange(count) / recipe.frames_per_second,
        image_size=(recipe.size, recipe.size),
        K=np.tile(clip_scene.K, (count, 1, 1)),
        object_mesh=clip_scene.object_mesh,
        T_camera_object=poses @ clip_scene.grasp.T_hand_object,
        object_confidence=np.ones(count),
        hands=(hand,),
        summary=_summary(recipe, clip, clip_scene.grasp),
    )


def _summary(recipe: ClipRecipe, clip: Path, grasp: Grasp) -> dict[str, Any]:
    """The content of result.json for an exact answer; what a fit alone can measure is null."""
    nothing = {"mask_iou_hand": 1.0, "mask_iou_object": 1.0, "psnr_db": None}
    return {
        "status": "ok",
        "reasons": [],
        "clip": {
            "name": clip.stem,
            "frames": recipe.frames,
            "fps": recipe.frames_per_second,
            "width": recipe.size,
            "height": recipe.size,
            "sha256": hashlib.sha256(clip.read_bytes()).hexdigest(),
        },
        "preset": "truth",
        "device": "cpu",
        "seconds": {"observe": 0.0, "fit": 0.0, "total": 0.0},
        "quality": {**nothing, "penetration_mean_mm": 1000 * grasp.deepest, "contact_fraction": len(grasp.touching) / 5},
        "confidence": {"object_shape": 1.0, "object_pose": 1.0, "hand_pose": 1.0},
        "versions": {"numpy": np.__version__, "torch": torch.__version__},
        "seed": recipe.seed,
    }


def _describe(clip_scene: ClipScene, recipe: ClipRecipe, seen: Bool[np.ndarray, "vertex"]) -> dict[str, Any]:
    """The content of truth.json."""
    return {
        "schema": "hoifield.truth/1",
        "recipe": recipe.as_json(),
        "seed": recipe.seed,
        "focal_px": float(clip_scene.K[0, 0]),
        "grasp": {"touching": list(clip_scene.grasp.touching), "deepest_mm": 1000 * clip_scene.grasp.deepest},
        "seen_share": float(seen.mean()),
    }
