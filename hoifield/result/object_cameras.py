"""The camera of every frame around the object held still: the world is the object's frame."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from hoifield.errors import RefusedInput
from hoifield.result.fit_result import FitResult


@dataclass(frozen=True)
class ObjectCameras:
    """Cameras of the frames in which the object has a pose; metres, OpenCV axes, pixel centres at +0.5."""

    frame_index: Int[np.ndarray, "view"]
    K: Float[np.ndarray, "view 3 3"]
    T_camera_object: Float[np.ndarray, "view 4 4"]
    image_size: tuple[int, int]
    """Width and height, pixels."""
    left_out: tuple[int, ...]
    """Numbers of the frames without a pose of the object."""

    @property
    def names(self) -> list[str]:
        """File name of the picture of each view."""
        return [f"{frame:06d}.png" for frame in self.frame_index]


def object_cameras(result: FitResult) -> ObjectCameras:
    """The cameras of a result. Raises RefusedInput (HF-EXP-004) where the object has no pose in any frame."""
    placed = result.object_confidence > 0
    if not placed.any():
        raise RefusedInput("HF-EXP-004", f"0 of {len(placed)} frames have a pose of the object", "fit a clip in which the object is found")
    return ObjectCameras(
        frame_index=result.frame_index[placed],
        K=np.asarray(result.K[placed], dtype=np.float64),
        T_camera_object=np.asarray(result.T_camera_object[placed], dtype=np.float64),
        image_size=result.image_size,
        left_out=tuple(int(frame) for frame in result.frame_index[~placed]),
    )
