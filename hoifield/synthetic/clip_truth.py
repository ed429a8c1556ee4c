"""The truth of a clip in the record and the files of results."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.geometry.rotations import axis_angle_from_matrix
from hoifield.result.fit_result import FitResult, HandResult
from hoifield.synthetic.clip_recipe import ClipRecipe
from hoifield.synthetic.clip_scene import ClipScene
from hoifield.synthetic.hand_clearance import HandClearance
from hoifield.synthetic.hand_contact import measure_contacts
from hoifield.synthetic.hand_object_motion import HandObjectMotion


def describe_clip(clip_scene: ClipScene, recipe: ClipRecipe, clip: Path) -> FitResult:
    """The truth of a clip in the record of results; `clip` is its video file."""
    motion, parts = clip_scene.motion, clip_scene.parts
    hands = [_describe_hand(parts.actor, parts.shape, motion)]
    if parts.second is not None:
        hands.append(_describe_hand(parts.second, parts.shape, motion.of_second()))
    return FitResult(
        frame_index=np.arange(motion.frames),
        time_s=np.arange(motion.frames) / recipe.frames_per_second,
        image_size=(recipe.size, recipe.size),
        K=np.tile(clip_scene.K, (motion.frames, 1, 1)),
        object_mesh=parts.object_mesh,
        T_camera_object=motion.T_camera_object,
        object_confidence=np.ones(motion.frames),
        hands=tuple(hands),
        summary=_summary(recipe, clip, *_contact_quality(clip_scene)),
    )


def _describe_hand(actor: SkinnedModel, shape: Float[np.ndarray, "component=10"], motion: HandObjectMotion) -> HandResult:
    """One hand in each frame; the motion is that of this hand."""
    poses, pose = motion.T_camera_hand, motion.pose.copy()
    pose[:, 0] = axis_angle_from_matrix(torch.from_numpy(poses[:, :3, :3])).numpy()
    posed = actor.pose(torch.from_numpy(shape).float(), torch.from_numpy(pose).float(), torch.from_numpy(poses).float())
    return HandResult(
        side=actor.side,
        actor=actor.name,
        T_camera_hand=poses,
        pose=pose,
        shape=shape,
        vertices=posed.vertices.double().numpy(),
        joints=posed.keypoints.double().numpy(),
        faces=actor.faces.numpy(),
        confidence=np.ones(motion.frames),
    )


def _contact_quality(clip_scene: ClipScene) -> tuple[float, float]:
    """Mean depth of the skin in the object (metres) and mean share of fingers that touch, over frames and hands.

    A hand that never lets go, alone in the picture, has its grasp's.
    """
    grasp, motion = clip_scene.grasp, clip_scene.motion
    if motion.second is None and (motion.T_hand_object == grasp.T_hand_object).all() and (motion.pose == grasp.pose).all():
        return grasp.deepest, len(grasp.touching) / 5
    contacts = measure_contacts(clip_scene.parts, motion).values()
    depths = [np.maximum(contact.penetration, 0).mean() for contact in contacts]
    return float(np.mean(depths)), float(np.mean([contact.fingers_touching.mean() for contact in contacts]))


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
    truth = {
        "schema": "hoifield.truth/1",
        "recipe": recipe.as_json(),
        "seed": recipe.seed,
        "focal_px": float(clip_scene.K[0, 0]),
        "grasp": {"touching": list(clip_scene.grasp.touching), "deepest_mm": 1000 * clip_scene.grasp.deepest},
        "seen_share": seen_share,
    }
    if clip_scene.motion.second is not None:
        truth["second_hand"] = _describe_second_hand(clip_scene)
    return truth


def _describe_second_hand(clip_scene: ClipScene) -> dict[str, Any]:
    """What touches, how deep, and the smallest gaps in any frame."""
    motion, grasp, clearances = clip_scene.motion, clip_scene.second_grasp, list[HandClearance]()
    for frame in range(motion.frames):
        moment = motion.at(frame)
        if frame == 0 or not moment.same_arrangement(motion.at(frame - 1)):
            clearances.append(HandClearance.of(clip_scene.parts, moment))
    return {
        "touching": [] if grasp is None else list(grasp.touching),
        "deepest_mm": 0.0 if grasp is None else 1000 * grasp.deepest,
        "gap_to_first_hand_mm": 1000 * min(clearance.hands for clearance in clearances),
        "gap_to_object_mm": 1000 * min(clearance.hand_object for clearance in clearances),
    }
