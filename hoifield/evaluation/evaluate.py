"""The scorecard of a result against a truth folder: every name of the contract, every frame counted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from hoifield.errors import RefusedInput
from hoifield.evaluation.actor_metrics import root_position_error, root_relative_joint_error
from hoifield.evaluation.align import align_surfaces
from hoifield.evaluation.contact_metrics import contact_agreement, penetration_volumes, touching_bones
from hoifield.evaluation.image_metrics import mask_overlaps
from hoifield.evaluation.pose_metrics import PLACEMENT_SAMPLES, placement_error, pose_errors
from hoifield.evaluation.scorecard import Score, Scorecard
from hoifield.evaluation.shape_metrics import SURFACE_SAMPLES, compare_surfaces, sampling_floor, split_by_seen
from hoifield.geometry.mesh import Mesh, sample_surface
from hoifield.result.fit_result import FitResult, HandResult
from hoifield.result.result_folder import read_result

SAMPLED = f"{SURFACE_SAMPLES} area-weighted samples each"


def evaluate(prediction: FitResult, truth_folder: Path, seed: int = 0) -> Scorecard:
    """All scores of `prediction` against the truth in `truth_folder` (a folder written by `synth`, or of the same format).

    Frames are matched by clip frame number. Frames of the truth that the prediction does not place are counted in each score
    (`count` of `total`) and shown as `frames_placed_pct`. Raises RefusedInput where no frame is common to both.
    """
    truth = read_result(truth_folder)
    rows = _rows_of(prediction.frame_index, truth.frame_index)
    if not (rows >= 0).any():
        raise RefusedInput(
            "HF-EVA-001",
            f"none of the {len(truth.frame_index)} true frames is among the {len(prediction.frame_index)} frames of the result",
            "evaluate the result of the clip that lies in the truth folder",
        )
    generator = np.random.default_rng(seed)
    aligned = align_surfaces(prediction.object_mesh, truth.object_mesh, True, seed).apply_to_mesh(prediction.object_mesh)
    scores = _shape_scores(aligned, truth.object_mesh, generator, seed)
    scores += _seen_scores(aligned, truth.object_mesh, truth_folder, generator)
    poses = _take(prediction.T_camera_object, rows)
    scores += _pose_scores(poses, truth)
    scores += _hand_scores(prediction, truth, rows, poses, generator)
    if (truth_folder / "masks").is_dir():
        hand_iou, object_iou = mask_overlaps(prediction, rows, truth.frame_index, truth_folder / "masks")
        for name, values in (("mask_iou_hand", hand_iou), ("mask_iou_object", object_iou)):
            scores.append(Score.over_frames(name, values, "ratio", "none", "all pixels; frames not placed score 0", floor=1.0))
    return Scorecard(tuple(scores))


def _rows_of(frame_index: Int[np.ndarray, "row"], frames: Int[np.ndarray, "frame"]) -> Int[np.ndarray, "frame"]:
    """Row of each frame number in `frame_index`, -1 where it is not there."""
    row_of = {int(frame): row for row, frame in enumerate(frame_index)}
    return np.array([row_of.get(int(frame), -1) for frame in frames])


def _take(values: Float[np.ndarray, "row *rest"], rows: Int[np.ndarray, "frame"]) -> Float[np.ndarray, "frame *rest"]:
    """Rows of an array; NaN where the row is -1."""
    taken = np.asarray(values, dtype=np.float64)[np.maximum(rows, 0)].copy()
    taken[rows < 0] = np.nan
    return taken


def _shape_scores(registered: Mesh, truth: Mesh, generator: np.random.Generator, seed: int) -> list[Score]:
    """Shape after rigid + scale ICP (HOLD), and in the two rigid conventions of ForeHOI (true size given)."""
    floor = sampling_floor(truth, generator)
    aligned = compare_surfaces(registered, truth, generator)
    icp = "rigid+scale ICP, best of 65 fixed starts"
    scores = [
        Score("cd_icp_cm2", aligned.chamfer_squared_cm2, "cm2", icp, SAMPLED, 1, 1, floor.chamfer_squared_cm2),
        Score("f5_icp_pct", aligned.f_score_pct(0.005), "percent", icp, SAMPLED, 1, 1, floor.f_score_pct(0.005)),
        Score("f10_icp_pct", aligned.f_score_pct(0.010), "percent", icp, SAMPLED, 1, 1, floor.f_score_pct(0.010)),
    ]
    sized = _given_true_size(registered, truth)
    rigid = compare_surfaces(align_surfaces(sized, truth, False, seed).apply_to_mesh(sized), truth, generator)
    how = "true size given (RMS radius), then rigid ICP"
    lengths = {"diagonal": float(np.linalg.norm(truth.extent)), "extent": float(truth.extent.max())}
    scores.append(Score("cd_rigid_mean_cm", rigid.chamfer_mean_cm, "cm", how, SAMPLED, 1, 1, floor.chamfer_mean_cm))
    scores.append(Score("cd_rigid_sum_cm", rigid.chamfer_sum_cm, "cm", how, SAMPLED, 1, 1, floor.chamfer_sum_cm))
    for reference, length in lengths.items():
        for percent in (5, 10):
            threshold = percent / 100 * length
            value, best = rigid.f_score_pct(threshold), floor.f_score_pct(threshold)
            scores.append(Score(f"f{percent}pct{reference}_rigid_pct", value, "percent", how, SAMPLED, 1, 1, best))
    return scores


def _given_true_size(prediction: Mesh, truth: Mesh) -> Mesh:
    """The prediction scaled about its centre to the truth's RMS radius over the surface."""
    generator = np.random.default_rng(0)
    clouds = [sample_surface(mesh, SURFACE_SAMPLES, generator) for mesh in (prediction, truth)]
    centre = clouds[0].mean(0)
    ratio = np.linalg.norm(clouds[1] - clouds[1].mean(0)) / np.linalg.norm(clouds[0] - centre)
    return replace(prediction, vertices=(prediction.vertices - centre) * ratio + centre)


def _seen_scores(registered: Mesh, truth: Mesh, truth_folder: Path, generator: np.random.Generator) -> list[Score]:
    """Shape of the surface that the camera saw and of the rest, where the truth says which is which."""
    path = truth_folder / "truth.npz"
    if not path.is_file():
        return []
    with np.load(path, allow_pickle=False) as arrays:
        vertex_seen: Bool[np.ndarray, "vertex"] = arrays["vertex_seen"].astype(bool)
    if len(vertex_seen) != len(truth.vertices):
        raise RefusedInput(
            "HF-EVA-003",
            f"truth.npz speaks of {len(vertex_seen)} vertices, object.ply has {len(truth.vertices)}",
            "generate the truth folder again",
        )
    points, true_points = sample_surface(registered, SURFACE_SAMPLES, generator), sample_surface(truth, SURFACE_SAMPLES, generator)
    again = sample_surface(truth, SURFACE_SAMPLES, generator)
    seen = vertex_seen[cKDTree(truth.vertices).query(true_points)[1]]
    parts, floors = split_by_seen(points, true_points, seen), split_by_seen(again, true_points, seen)
    scores = []
    for name, part, floor in zip(("cd_seen_cm2", "cd_unseen_cm2"), parts, floors, strict=True):
        value, best = (float("nan") if distances is None else distances.chamfer_squared_cm2 for distances in (part, floor))
        scores.append(Score(name, value, "cm2", "rigid+scale ICP of the whole shape", SAMPLED, int(part is not None), 1, best))
    return scores


def _pose_scores(poses: Float[np.ndarray, "frame 4 4"], truth: FitResult) -> list[Score]:
    """Object motion in the camera, and the share of true frames with an object pose."""
    centre = sample_surface(truth.object_mesh, SURFACE_SAMPLES, np.random.default_rng(0)).mean(0)
    known = np.isfinite(truth.T_camera_object).all((1, 2))
    rotation, translation = pose_errors(poses[known], truth.T_camera_object[known], centre)
    how, where = "one constant alignment of the object frames (least absolute)", "every frame of the truth, at the surface's centre"
    placed = int(np.isfinite(rotation).sum())
    return [
        Score.over_frames("pose_rot_deg", rotation, "deg", how, where, floor=0.0),
        Score.over_frames("pose_trans_mm", translation, "mm", how, where, floor=0.0),
        Score(
            "frames_placed_pct",
            100 * placed / max(int(known.sum()), 1),
            "percent",
            "none",
            "frames with an object pose",
            placed,
            int(known.sum()),
            100.0,
        ),
    ]


def _hand_scores(
    prediction: FitResult,
    truth: FitResult,
    rows: Int[np.ndarray, "frame"],
    poses: Float[np.ndarray, "frame 4 4"],
    generator: np.random.Generator,
) -> list[Score]:
    """Hand pose, placement of the object in the hand, contact and penetration; two hands are pooled frame by frame."""
    joint_errors: list[np.ndarray] = []
    root_errors, placements, floors, penetrations, true_penetrations, touching, true_touching = ([*joint_errors] for _ in range(7))
    true_mesh, true_poses = truth.object_mesh, truth.T_camera_object
    for true_hand in truth.hands:
        joints, vertices, faces = _predicted_hand(prediction, true_hand, rows)
        known = np.isfinite(true_hand.joints).all((1, 2))
        joint_errors.append(root_relative_joint_error(joints, true_hand.joints)[known])
        root_errors.append(root_position_error(joints, true_hand.joints)[known])
        true_side = (true_mesh, true_poses, true_hand.joints[:, 0])
        placements.append(placement_error((prediction.object_mesh, poses, joints[:, 0]), true_side, generator)[known])
        floors.append(placement_error(true_side, true_side, generator)[known][:5])
        penetrations.append(penetration_volumes(prediction.object_mesh, poses, vertices, faces)[known])
        true_penetrations.append(penetration_volumes(true_mesh, true_poses, true_hand.vertices, true_hand.faces)[known])
        touching.append(touching_bones(prediction.object_mesh, poses, vertices, joints)[known])
        true_touching.append(touching_bones(true_mesh, true_poses, true_hand.vertices, true_hand.joints)[known])
    if not truth.hands:
        return []
    f1 = contact_agreement(np.concatenate(touching), np.concatenate(true_touching))
    penetration = Score.over_frames(
        "penetration_cm3",
        np.concatenate(penetrations),
        "cm3",
        "none",
        "exact volume shared by the meshes; floor is the truth's own",
        floor=float(np.nanmean(np.concatenate(true_penetrations))),
    )
    bones = "20 bones, touching = skin within 5 mm; frames not placed touch nothing"
    in_hand = f"{PLACEMENT_SAMPLES} area-weighted samples each, object minus the hand's root, every frame"
    return [
        Score.over_frames(
            "cd_hand_cm2", np.concatenate(placements), "cm2", "none", in_hand, floor=float(np.nanmean(np.concatenate(floors)))
        ),
        Score.over_frames("mpjpe_ra_mm", np.concatenate(joint_errors), "mm", "root-relative translation", "21 joints", floor=0.0),
        Score.over_frames("root_trans_mm", np.concatenate(root_errors), "mm", "none", "root joint in the camera", floor=0.0),
        penetration,
        Score("contact_f1", f1, "ratio", "none", bones, penetration.count, penetration.total, 1.0),
    ]


def _predicted_hand(
    prediction: FitResult, true_hand: HandResult, rows: Int[np.ndarray, "frame"]
) -> tuple[Float[np.ndarray, "frame 21 3"], Float[np.ndarray, "frame vertex 3"], Int[np.ndarray, "face 3"]]:
    """Joints, vertices and faces of the predicted hand of that side; NaN in every frame where the side is not predicted."""
    for hand in prediction.hands:
        if hand.side == true_hand.side:
            return _take(hand.joints, rows), _take(hand.vertices, rows), hand.faces
    return np.full(true_hand.joints.shape, np.nan), np.full(true_hand.vertices.shape, np.nan), true_hand.faces
