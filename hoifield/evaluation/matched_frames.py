"""A prediction brought onto the frames of a truth, so that every score compares the same rows."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from hoifield.errors import RefusedInput
from hoifield.result.fit_result import FitResult, HandResult


@dataclass(frozen=True)
class MatchedHand:
    """The predicted hand of one side on the truth's frames; NaN, and confidence 0, where it was not placed."""

    T_camera_hand: Float[np.ndarray, "frame 4 4"]
    joints: Float[np.ndarray, "frame keypoint=21 3"]
    vertices: Float[np.ndarray, "frame vertex 3"]
    faces: Int[np.ndarray, "face 3"]
    confidence: Float[np.ndarray, "frame"]


@dataclass(frozen=True)
class MatchedFrames:
    """Prediction and truth with the prediction's row of every true frame."""

    prediction: FitResult
    truth: FitResult
    rows: Int[np.ndarray, "frame"]
    """Row of the prediction per true frame, -1 where it has none."""

    @property
    def T_camera_object(self) -> Float[np.ndarray, "frame 4 4"]:
        """Predicted object poses on the truth's frames, NaN where not placed."""
        return take_rows(self.prediction.T_camera_object, self.rows)

    @property
    def object_confidence(self) -> Float[np.ndarray, "frame"]:
        """Predicted confidence of the object's pose, 0 where not placed."""
        return np.nan_to_num(take_rows(self.prediction.object_confidence, self.rows))

    def hand_like(self, true_hand: HandResult) -> MatchedHand:
        """The predicted hand of the side of a true hand; NaN in every frame where that side is not predicted."""
        for hand in self.prediction.hands:
            if hand.side == true_hand.side:
                T, joints, vertices = (take_rows(values, self.rows) for values in (hand.T_camera_hand, hand.joints, hand.vertices))
                return MatchedHand(T, joints, vertices, hand.faces, np.nan_to_num(take_rows(hand.confidence, self.rows)))
        T, joints, vertices = (np.full_like(values, np.nan) for values in (true_hand.T_camera_hand, true_hand.joints, true_hand.vertices))
        return MatchedHand(T, joints, vertices, true_hand.faces, np.zeros(len(self.rows)))


def match_frames(prediction: FitResult, truth: FitResult) -> MatchedFrames:
    """Frames matched by their number in the clip. Raises RefusedInput (HF-EVA-001) where none is common to both."""
    row_of = {int(frame): row for row, frame in enumerate(prediction.frame_index)}
    rows = np.array([row_of.get(int(frame), -1) for frame in truth.frame_index])
    if not (rows >= 0).any():
        raise RefusedInput(
            "HF-EVA-001",
            f"none of the {len(truth.frame_index)} true frames is among the {len(prediction.frame_index)} frames of the result",
            "evaluate the result of the clip that lies in the truth folder",
        )
    return MatchedFrames(prediction, truth, rows)


def take_rows(values: Float[np.ndarray, "row *rest"], rows: Int[np.ndarray, "frame"]) -> Float[np.ndarray, "frame *rest"]:
    """Rows of an array; NaN where the row is -1."""
    taken = np.asarray(values, dtype=np.float64)[np.maximum(rows, 0)].copy()
    taken[rows < 0] = np.nan
    return taken
