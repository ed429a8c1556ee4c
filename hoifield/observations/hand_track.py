"""The hand over the clip, as metric camera-frame poses of an actor."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from hoifield.actors.skinned_model import Side


@dataclass(frozen=True)
class HandTrack:
    """One hand of the clip.

    Frames in which it is not detected are marked in `observed`. They have a pose where the object, still held, shows it (the hand is
    carried), else NaN: nothing is invented.
    """

    side: Side
    actor: str
    """Name of the actor the poses belong to: "anny" or "mano"."""
    observed: Bool[np.ndarray, "frame"]
    keypoints: Float[np.ndarray, "frame keypoint=21 2"]
    """Detected keypoints, pixels of the clip."""
    keypoint_error: Float[np.ndarray, "frame"]
    """Mean distance of projected to detected keypoints, as a share of the larger side of the hand box."""
    presence: Float[np.ndarray, "frame"]
    """The detector's own presence score in [0, 1]; 0 where it found nothing."""
    T_camera_hand: Float[np.ndarray, "frame 4 4"]
    pose: Float[np.ndarray, "frame joint=16 3"]
    """Axis-angle, radians; the first row repeats the rotation of T_camera_hand."""
    shape: Float[np.ndarray, "component=10"]
    keypoint_offsets: Float[np.ndarray, "keypoint=21 3"]
    """Where the detector's keypoints sit relative to the actor's, wrist frame, metres (the palm's differ by up to 1 cm)."""

    @property
    def posed(self) -> Bool[np.ndarray, "frame"]:
        """Frames with a pose, detected or carried."""
        return np.isfinite(self.T_camera_hand).all((1, 2))

    def without(self, frames: Bool[np.ndarray, "frame"]) -> "HandTrack":
        """The track as if the hand had not been detected in these frames: what was taken for it there is something else."""

        def emptied(values: Float[np.ndarray, "frame *rest"], empty: float) -> Float[np.ndarray, "frame *rest"]:
            return np.where(frames.reshape(-1, *(1,) * (values.ndim - 1)), empty, values)

        return replace(
            self,
            observed=self.observed & ~frames,
            keypoints=emptied(self.keypoints, np.nan),
            keypoint_error=emptied(self.keypoint_error, np.nan),
            presence=emptied(self.presence, 0.0),
            T_camera_hand=emptied(self.T_camera_hand, np.nan),
            pose=emptied(self.pose, np.nan),
        )
