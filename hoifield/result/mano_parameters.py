"""Hands as MANO's own layers take them: global orientation, finger angles, shape and translation per frame."""

import io
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hoifield.actors.mano_conventions import ManoConventions, read_mano_conventions
from hoifield.errors import MissingInput, RefusedInput
from hoifield.geometry.rotations import axis_angles_of
from hoifield.result.fit_result import FitResult, HandResult


@dataclass(frozen=True)
class ManoParameters:
    """One hand; NaN in frames without it. Metres and radians, named as smplx names them."""

    global_orient: Float[np.ndarray, "frame 3"]
    """Axis-angle; MANO turns the hand about its root joint at rest, which is not at the origin."""
    hand_pose: Float[np.ndarray, "frame 45"]
    """Axis-angles of the 15 finger joints in MANO's order, from the flat hand (`flat_hand_mean=True`, `use_pca=False`)."""
    betas: Float[np.ndarray, "component=10"]
    transl: Float[np.ndarray, "frame 3"]
    """What is added to every vertex of the turned hand."""


def require_mano_conventions(hand: HandResult) -> ManoConventions:
    """The conventions of the user's MANO file of the hand's side.

    Raises MissingInput (HF-SET-023) where the hand is not MANO's, or that file is not there, RefusedInput (HF-ACT-005, -007).
    """
    conventions = read_mano_conventions(hand.side) if hand.actor == "mano" else None
    if conventions is None:
        cause = (
            f"MANO_{hand.side.upper()}.pkl is not in the folder of HOIFIELD_MANO_DIR"
            if hand.actor == "mano"
            else f"the {hand.side} hand of this run is {hand.actor}'s, not MANO's"
        )
        raise MissingInput("HF-SET-023", cause, "set HOIFIELD_MANO_DIR and run the fit with --actor mano")
    return conventions


def mano_parameters(hand: HandResult, conventions: ManoConventions, T_frame_camera: Float[np.ndarray, "4 4"]) -> ManoParameters:
    """The parameters that put MANO's hand where the result has it, in the frame that `T_frame_camera` maps the camera's points into."""
    T = T_frame_camera @ np.asarray(hand.T_camera_hand, dtype=np.float64)
    shape = np.asarray(hand.shape, dtype=np.float64)
    return ManoParameters(
        global_orient=axis_angles_of(T[:, :3, :3]),
        hand_pose=np.asarray(hand.pose[:, 1:], dtype=np.float64).reshape(-1, 45),
        betas=shape,
        transl=T[:, :3, 3] - conventions.root_of(shape),
    )


def encode_mano_parameters(result: FitResult) -> bytes:
    """The bytes of an npz in the camera frame: `frame_index`, `time_s`; per side S `S_global_orient`, `S_hand_pose`, `S_betas`,
    `S_transl`, `S_confidence`, and `S_mean_pose` (45,), which layers with `flat_hand_mean=False` want taken off `S_hand_pose`.

    Raises RefusedInput (HF-EXP-005) for a result without a hand, and the errors of `require_mano_conventions`.
    """
    if not result.hands:
        raise RefusedInput("HF-EXP-005", f"the result has 0 hands in {len(result.frame_index)} frames", "fit a clip in which a hand is found")
    arrays = {"frame_index": result.frame_index, "time_s": result.time_s}
    for hand in result.hands:
        conventions = require_mano_conventions(hand)
        parameters = mano_parameters(hand, conventions, np.eye(4))
        named = {**vars(parameters), "mean_pose": conventions.mean_pose, "confidence": hand.confidence}
        arrays |= {f"{hand.side}_{name}": array for name, array in named.items()}
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    return stream.getvalue()
