"""Scores of the hands: pose, placement of the object in the hand, contact and penetration. Two hands are pooled frame by frame."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from hoifield.evaluation.actor_metrics import root_position_error, root_relative_joint_error
from hoifield.evaluation.contact_metrics import FINGER_BONES, contact_agreement, penetration_volumes, touching_bones
from hoifield.evaluation.hold_protocol import HAND_VERTICES, placement_as_hold
from hoifield.evaluation.matched_frames import MatchedFrames, MatchedHand
from hoifield.evaluation.pose_metrics import PLACEMENT_SAMPLES, placement_error, placement_in_hand_frame
from hoifield.evaluation.scorecard import Score, Unit
from hoifield.geometry.mesh import Mesh
from hoifield.result.fit_result import HandResult

IN_HAND_SAMPLES = 10_000
CONTACT = "touching = skin within 5 mm; frames not placed touch nothing"


@dataclass(frozen=True)
class _Placement:
    """Errors per frame of the object relative to the hand, in three conventions."""

    cd_cm2: Float[np.ndarray, "frame"]
    hold_cm2: Float[np.ndarray, "frame"]
    arctic_cm: Float[np.ndarray, "frame"]
    diffhoi_cm2: Float[np.ndarray, "frame"]
    diffhoi_f20_pct: Float[np.ndarray, "frame"]


@dataclass(frozen=True)
class _Touch:
    """Contact and penetration per frame, of the prediction and of the truth."""

    penetration_cm3: Float[np.ndarray, "frame"]
    true_penetration_cm3: Float[np.ndarray, "frame"]
    touching: Bool[np.ndarray, "frame bone=20"]
    true_touching: Bool[np.ndarray, "frame bone=20"]


_Side = tuple[Mesh, Float[np.ndarray, "frame 4 4"], HandResult | MatchedHand]
"""Object mesh, T_camera_object and one hand."""


def score_hands(matched: MatchedFrames, generator: np.random.Generator, seed: int) -> list[Score]:
    """Hand pose and placement; contact with penetration where the truth has the hand's surface. Nothing for a truth without hands."""
    if not matched.truth.hands:
        return []
    joint_errors, root_errors, placements, floors, touches = [], [], [], [], []
    held = np.isfinite(matched.truth.T_camera_object).all((1, 2))
    for number, true_hand in enumerate(matched.truth.hands):
        joints, known = matched.hand_like(true_hand).joints, np.isfinite(true_hand.joints).all((1, 2))
        joint_errors.append(root_relative_joint_error(joints, true_hand.joints)[known])
        root_errors.append(root_position_error(joints, true_hand.joints)[known])
        truth = (matched.truth.object_mesh, matched.truth.T_camera_object, true_hand)
        prediction = (matched.prediction.object_mesh, matched.T_camera_object, matched.hand_like(true_hand))
        own = np.random.default_rng((seed, 2, number))
        placements.append(_place(prediction, truth, known, generator, own))
        floors.append(_place(truth, truth, known & held & (np.cumsum(known & held) == 1), generator, own))
        if true_hand.vertices.shape[1]:
            touches.append(_touch(matched, true_hand, known & held))
    scores = [
        Score.over_frames("mpjpe_ra_mm", np.concatenate(joint_errors), "mm", "root-relative translation", "21 joints", floor=0.0),
        Score.over_frames("root_trans_mm", np.concatenate(root_errors), "mm", "none", "root joint in the camera", floor=0.0),
    ]
    return _placement_scores(placements, floors) + scores + (_contact_scores(touches) if touches else [])


def _place(prediction: _Side, truth: _Side, kept: Bool[np.ndarray, "frame"], generator: np.random.Generator, own: np.random.Generator) -> _Placement:
    """Placement errors in the frames that are kept. `own` serves the papers' protocols, so that they leave the contract's draws alone."""
    roots, in_hand = [], []
    for mesh, poses, hand in (prediction, truth):
        roots.append((mesh, poses[kept], hand.joints[kept, 0]))
        in_hand.append((mesh, _in_hand(hand.T_camera_hand[kept], poses[kept])))
    errors = placement_error(roots[0], roots[1], generator)
    hold_cm2, arctic_cm = placement_as_hold(roots[0], roots[1], own)
    return _Placement(errors, hold_cm2, arctic_cm, *placement_in_hand_frame(in_hand[0], in_hand[1], 0.020, IN_HAND_SAMPLES, own))


def _in_hand(T_camera_hand: Float[np.ndarray, "frame 4 4"], T_camera_object: Float[np.ndarray, "frame 4 4"]) -> Float[np.ndarray, "frame 4 4"]:
    """T_hand_object; NaN where either is."""
    rotation = T_camera_hand[:, :3, :3].transpose(0, 2, 1)
    T = np.tile(np.eye(4), (len(T_camera_hand), 1, 1))
    T[:, :3, :3] = rotation @ T_camera_object[:, :3, :3]
    T[:, :3, 3] = np.einsum("fij,fj->fi", rotation, T_camera_object[:, :3, 3] - T_camera_hand[:, :3, 3])
    return T


def _touch(matched: MatchedFrames, true_hand: HandResult, known: Bool[np.ndarray, "frame"]) -> _Touch:
    """Contact and penetration in the frames in which the true hand and the true object are known."""
    hand, mesh, poses = matched.hand_like(true_hand), matched.prediction.object_mesh, matched.T_camera_object
    true_mesh, true_poses = matched.truth.object_mesh, matched.truth.T_camera_object
    return _Touch(
        penetration_volumes(mesh, poses, hand.vertices, hand.faces)[known],
        penetration_volumes(true_mesh, true_poses, true_hand.vertices, true_hand.faces)[known],
        touching_bones(mesh, poses, hand.vertices, hand.joints)[known],
        touching_bones(true_mesh, true_poses, true_hand.vertices, true_hand.joints)[known],
    )


def _placement_scores(placements: list[_Placement], floors: list[_Placement]) -> list[Score]:
    """The object relative to the hand: the contract's, HOLD's on HO3D and on ARCTIC, DiffHOI's."""
    at_root = "object minus the hand's root, every frame"
    samples, vertices = f"{PLACEMENT_SAMPLES} area-weighted samples each, {at_root}", f"{HAND_VERTICES} random vertices each, {at_root}"
    in_hand = f"{IN_HAND_SAMPLES} area-weighted samples each, object in the hand frame, every frame"
    named: tuple[tuple[str, str, Unit, str], ...] = (
        ("cd_hand_cm2", "cd_cm2", "cm2", samples),
        ("cd_hand_hold_cm2", "hold_cm2", "cm2", vertices),
        ("cd_hand_arctic_cm", "arctic_cm", "cm", vertices),
        ("cd_hand_diffhoi_cm2", "diffhoi_cm2", "cm2", in_hand),
        ("f20_hand_diffhoi_pct", "diffhoi_f20_pct", "percent", in_hand),
    )
    scores = []
    for name, field, unit, where in named:
        values, best = (np.concatenate([getattr(place, field) for place in places]) for places in (placements, floors))
        scores.append(Score.over_frames(name, values, unit, "none", where, _finite_mean(best)))
    return scores


def _contact_scores(touches: list[_Touch]) -> list[Score]:
    """Penetration and, never without it, contact: over all bones, and finger by finger."""
    volumes, true_volumes = (np.concatenate(parts) for parts in ([t.penetration_cm3 for t in touches], [t.true_penetration_cm3 for t in touches]))
    touching, true_touching = (np.concatenate(parts) for parts in ([t.touching for t in touches], [t.true_touching for t in touches]))
    penetration = Score.over_frames(
        "penetration_cm3", volumes, "cm3", "none", "exact volume shared by the meshes; floor is the truth's own", _finite_mean(true_volumes)
    )
    counted, overall = (penetration.count, penetration.total), contact_agreement(touching, true_touching)
    scores = [penetration, Score("contact_f1", overall, "ratio", "none", f"20 bones, {CONTACT}", *counted, 1.0)]
    for part, bones in FINGER_BONES.items():
        agreement = contact_agreement(_any_of(touching, bones), _any_of(true_touching, bones))
        where = f"any of {len(bones)} bones of the {part}, {CONTACT}"
        scores.append(Score(f"contact_f1_{part}", agreement, "ratio", "none", where, *counted, 1.0))
    return scores


def _any_of(touching: Bool[np.ndarray, "frame bone=20"], bones: tuple[int, ...]) -> Bool[np.ndarray, "frame 1"]:
    """Whether any of the bones touches."""
    return np.asarray(touching[:, list(bones)].any(axis=1))[:, None]


def _finite_mean(values: Float[np.ndarray, "frame"]) -> float:
    """Mean of the finite values; NaN without any."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")
