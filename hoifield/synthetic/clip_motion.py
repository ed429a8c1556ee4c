"""The motion of a recipe: of hand, fingers, object and camera, with everything inside the picture."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from hoifield.synthetic.camera_path import make_camera_path
from hoifield.synthetic.clip_recipe import ClipRecipe
from hoifield.synthetic.follow_recording import follow_recording
from hoifield.synthetic.grasp import GraspSearch
from hoifield.synthetic.grasp_check import Grasp
from hoifield.synthetic.hand_object_motion import HandObjectMotion, SecondHandMotion
from hoifield.synthetic.leaving_picture import leave_picture
from hoifield.synthetic.motion import FARTHEST, NEAREST, make_motion, make_two_handed_motion, missing_distance
from hoifield.synthetic.recording import read_recording
from hoifield.synthetic.release import make_release, opened_pose
from hoifield.synthetic.resting_hand import rest_beside
from hoifield.synthetic.scene_mesh import SceneParts
from hoifield.synthetic.second_grasp import arm_directions, second_hand_of

POINT_STEP = 11
"""Every so many vertices are watched for leaving the picture."""


def make_clip_motion(
    recipe: ClipRecipe,
    parts: SceneParts,
    search: GraspSearch,
    grasp: Grasp,
    focal_ratio: float,
    second_grasp: Grasp | None = None,
) -> HandObjectMotion:
    """Where hand, object and camera are in each frame, from the first grasp on; inside the picture unless the recipe lets them leave.

    `second_grasp` is that of a second hand which holds. Errors of `read_recording`, `follow_recording` and `rest_beside`.
    """
    if second_grasp is None:
        motion = _motion_in_the_room(recipe, parts, search, grasp, focal_ratio)
    else:
        motion = _two_handed(recipe, parts, grasp, second_grasp, focal_ratio)
    motion = _filmed_motion(recipe, parts, motion, focal_ratio)
    return leave_picture(parts, motion, recipe.leaves, focal_ratio)


def _filmed_motion(recipe: ClipRecipe, parts: SceneParts, motion: HandObjectMotion, focal_ratio: float) -> HandObjectMotion:
    """The motion before the camera of the recipe, far enough away for everything to stay inside the picture."""
    if recipe.camera == "fixed":
        return motion
    points = watched_points(parts, motion)
    times = np.arange(recipe.frames) / recipe.frames_per_second
    motion = motion.seen_by(make_camera_path(recipe.camera, times, float(points[..., 2].mean()), recipe.seed))
    farther = np.tile(np.eye(4), (recipe.frames, 1, 1))
    farther[:, 2, 3] = max(missing_distance(watched_points(parts, motion), focal_ratio), 0.0)
    return motion.seen_by(farther)


def _motion_in_the_room(recipe: ClipRecipe, parts: SceneParts, search: GraspSearch, grasp: Grasp, focal_ratio: float) -> HandObjectMotion:
    """The motion before a camera that stands still."""
    if recipe.motion_from is not None:
        recording = read_recording(Path(recipe.motion_from))
        open_pose = opened_pose(parts.actor, grasp.pose)
        motion = follow_recording(recording, parts.actor, grasp, open_pose, recipe.frames, recipe.seed)
    elif recipe.motion == "release":
        motion = make_release(parts, search, grasp, recipe.frames, focal_ratio)
    else:
        body = parts.held_body(grasp.pose, grasp.T_hand_object)
        motion = HandObjectMotion.held(make_motion(recipe.motion, recipe.side, body, recipe.frames, focal_ratio, recipe.seed), grasp)
        if recipe.second_hand == "none":
            return motion
    if recipe.second_hand == "beside":
        motion = rest_beside(parts, motion, focal_ratio, recipe.seed)
    motion = motion.moved(_look_at_middle(watched_points(parts, motion)))
    points = watched_points(parts, motion)
    depth = float(points[..., 2].mean())
    away = np.eye(4)
    away[2, 3] = np.clip(depth + missing_distance(points, focal_ratio), NEAREST, FARTHEST) - depth
    return motion.moved(away)


def _two_handed(recipe: ClipRecipe, parts: SceneParts, grasp: Grasp, second_grasp: Grasp, focal_ratio: float) -> HandObjectMotion:
    """The motion of an object in two hands before a camera that stands still."""
    assert recipe.motion != "release"
    second = second_hand_of(grasp, second_grasp)
    body = parts.body(parts.arranged(grasp.pose, grasp.T_hand_object, second).mesh.vertices)
    arms = arm_directions(parts, second)
    T = make_two_handed_motion(recipe.motion, recipe.side, arms, body, recipe.frames, focal_ratio, recipe.seed)
    each = (recipe.frames, 1, 1)
    return replace(
        HandObjectMotion.held(T, grasp),
        second=SecondHandMotion(np.tile(second.T_hand_second, each), np.tile(second.pose, each), holds=True),
    )


def watched_points(parts: SceneParts, motion: HandObjectMotion) -> Float[np.ndarray, "frame point 3"]:
    """Some vertices of hands and object in the camera frame, metres."""
    points, last, arranged = [], None, None
    for frame in range(motion.frames):
        moment = motion.at(frame)
        if last is None or arranged is None or not moment.same_arrangement(last):
            vertices = parts.arranged(moment.pose, moment.T_hand_object, moment.second).mesh.vertices
            last, arranged = moment, parts.body(vertices, POINT_STEP)
        points.append(arranged @ moment.T_camera_hand[:3, :3].T + moment.T_camera_hand[:3, 3])
    return np.stack(points)


def _look_at_middle(points: Float[np.ndarray, "frame point 3"]) -> Float[np.ndarray, "4 4"]:
    """The turn of the camera that brings the middle of all points' box onto its axis."""
    flat = points.reshape(-1, 3)
    middle = (flat.min(0) + flat.max(0)) / 2
    middle /= np.linalg.norm(middle)
    axis = np.cross(middle, [0.0, 0.0, 1.0])
    sine = np.linalg.norm(axis)
    T = np.eye(4)
    if sine > 0:
        T[:3, :3] = Rotation.from_rotvec(axis / sine * np.arctan2(sine, middle[2])).as_matrix()
    return T
