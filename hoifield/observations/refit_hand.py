"""A fitted hand carried over to another camera, cheaply: what a changed focal length does to poses that were already found."""

import dataclasses

import numpy as np
import torch

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.geometry.cameras import Camera, project
from hoifield.geometry.rigid import compose
from hoifield.geometry.rotations import axis_angle_from_matrix
from hoifield.observations.fit_hand import turn_onto_ray
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.rotated_boxes import keypoint_box_side


def refit_hand(track: HandTrack, actor: SkinnedModel, camera_old: Camera, camera_new: Camera) -> HandTrack:
    """The track under another camera: finger poses and shape kept, depth scaled with the focal length, sideways position solved.

    A longer lens puts the same picture farther away; the hand also turns by the change of its viewing ray. Depth is scaled, not
    solved again, so the motion along the ray stays as smooth as it was. The rest is linear least squares on the keypoints.
    """
    if not track.observed.any():
        return track
    keypoints = torch.from_numpy(track.keypoints[track.observed]).float()
    T_old = torch.from_numpy(track.T_camera_hand[track.observed]).float()
    pose = torch.from_numpy(track.pose[track.observed]).float()
    K_old, K_new = torch.from_numpy(camera_old.K).float(), torch.from_numpy(camera_new.K).float()
    centre = (keypoints.amax(1) + keypoints.amin(1)) / 2
    turn = turn_onto_ray(centre, K_new) @ turn_onto_ray(centre, K_old).transpose(1, 2)
    rotation = turn @ T_old[:, :3, :3]
    about_wrist = compose(rotation, torch.zeros(len(rotation), 3))
    points = actor.pose(torch.from_numpy(track.shape).float(), pose, about_wrist).keypoints
    points = points + torch.from_numpy(track.keypoint_offsets).float() @ rotation.transpose(1, 2)
    depth = T_old[:, 2, 3] * (K_new[0, 0] / K_old[0, 0])
    z = points[..., 2] + depth[:, None]
    focal = torch.stack([K_new[0, 0], K_new[1, 1]])
    wanted = (keypoints - K_new[:2, 2]) / focal * z[..., None] - points[..., :2]
    # Residuals count in pixels, so near keypoints weigh more.
    weight = z[..., None].clamp(min=1e-3) ** -2
    sideways = (weight * wanted).sum(1) / weight.sum(1)
    translation = torch.cat([sideways, depth[:, None]], dim=1)
    error = (project(points + translation[:, None], K_new) - keypoints).norm(dim=-1).mean(1)

    T_camera_hand, new_pose, keypoint_error = track.T_camera_hand.copy(), track.pose.copy(), track.keypoint_error.copy()
    T_camera_hand[track.observed] = compose(rotation, translation).numpy()
    new_pose[track.observed, 0] = axis_angle_from_matrix(rotation.double()).numpy()
    keypoint_error[track.observed] = error.numpy() / keypoint_box_side(np.asarray(keypoints))
    return dataclasses.replace(track, T_camera_hand=T_camera_hand, pose=new_pose, keypoint_error=keypoint_error)
