"""The truth of a clip in the record and the files of results."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hoifield.geometry.rotations import axis_angle_from_matrix
from hoifield.result.fit_result import FitResult, HandResult
from hoifield.synthetic.clip_recipe import ClipRecipe
from hoifield.synthetic.clip_scene import ClipScene
from hoifield.synthetic.hand_contact import measure_contact


def describe_clip(clip_scene: ClipScene, recipe: ClipRecipe, clip: Path) -> FitResult:
    """The truth of a clip in the record of results; `clip` is its video file."""
    motion, parts = clip_scene.motion, clip_scene.parts
    poses, pose = motion.T_camera_hand, motion.pose.copy()
    pose[:, 0] = axis_angle_from_matrix(torch.from_numpy(poses[:, :3, :3])).numpy()
    posed = parts.actor.pose(torch.from_numpy(parts.shape).float(), torch.from_numpy(pose).float(), torch.from_numpy(poses).float())
    hand = HandResult(
        side=recipe.side,
        actor=parts.actor.name,
        T_camera_hand=poses,
        pose=pose,
        shape=parts.shape,
        vertices=posed.vertices.double().numpy(),
        joints=posed.keypoints.double().numpy(),
        faces=parts.actor.faces.numpy(),
        confidence=np.ones(motion.frames),
    )
    return FitResult(
        frame_index=np.arange(motion.frames),
        time_s=np.arange(motion.frames) / recipe.frames_per_second,
        image_size=(recipe.size, recipe.size),
        K=np.tile(clip_scene.K, (motion.frames, 1, 1)),
        object_mesh=parts.object_mesh,
        T_camera_object=motion.T_camera_object,
        object_confidence=np.ones(motion.frames),
        hands=(hand,),
        summary=_summary(recipe, clip, *_contact_quality(clip_scene)),
    )


def _contact_quality(clip_scene: ClipScene) -> tuple[float, float]:
    """Mean depth of the skin in the object (metres) and mean share of fingers that touch; a hand that never lets go has its grasp's."""
    grasp, motion = clip_scene.grasp, clip_scene.motion
    if (motion.T_hand_object == grasp.T_hand_object).all() and (motion.pose == grasp.pose).all():
        return grasp.deepest, len(grasp.touching) / 5
    contact = measure_contact(clip_scene.parts, motion)
    return float(np.maximum(contact.penetration, 0).mean()), float(contact.fingers_touching.mean())


def _summary(recipe: ClipRecipe, clip: Path, penetration: float, contact_fraction: float) -> dict[str, Any]:
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
        "quality": {**nothing, "penetration_mean_mm": 1000 * penetration, "contact_fraction": contact_fraction},
        "confidence": {"object_shape": 1.0, "object_pose": 1.0, "hand_pose": 1.0},
        "versions": {"numpy": np.__version__, "torch": torch.__version__},
        "seed": recipe.seed,
    }


def describe_truth(clip_scene: ClipScene, recipe: ClipRecipe, seen_share: float) -> dict[str, Any]:
    """The content of truth.json; `seen_share` is that of the object's vertices which any frame shows."""
    return {
        "schema": "hoifield.truth/1",
        "recipe": recipe.as_json(),
        "seed": recipe.seed,
        "focal_px": float(clip_scene.K[0, 0]),
        "grasp": {"touching": list(clip_scene.grasp.touching), "deepest_mm": 1000 * clip_scene.grasp.deepest},
        "seen_share": seen_share,
    }
