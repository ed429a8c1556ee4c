"""The room behind the hand as a still picture on a far wall, seen by a camera that may move."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Float

from hoifield.synthetic.appearance import linear
from hoifield.synthetic.background import draw_background

WALL_DISTANCE = 2.0
"""How far the wall stands from where the camera of an unmoved room is, metres."""
MARGIN = 1.7
"""Side of the picture on the wall over the side of the camera's picture, for cameras that move; beyond it the room is mirrored."""


@dataclass(frozen=True)
class Room:
    """Light of a flat picture at depth WALL_DISTANCE of the room's frame."""

    light: Float[np.ndarray, "height width 3"]
    """Linear RGB."""
    K: Float[np.ndarray, "3 3"]
    """Of `light` as the room's origin sees it."""

    @cached_property
    def _halved(self) -> Float[np.ndarray, "half_height half_width 3"]:
        """The light at half the size."""
        height, width = self.light.shape[0] // 2, self.light.shape[1] // 2
        return self.light[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3).mean((1, 3))

    @cached_property
    def _single(self) -> Float[np.ndarray, "height width 3"]:
        """The light in single precision."""
        return self.light.astype(np.float32)

    def seen(
        self, T_camera_room: Float[np.ndarray, "4 4"], K: Float[np.ndarray, "3 3"], width: int, height: int
    ) -> Float[np.ndarray, "height width 3"]:
        """What a camera sees of the wall, linear RGB: the homography of a plane (Hartley and Zisserman 2004, eq. 13.2).

        A camera that has not moved gets the picture as it is, or at half its size; K is then not looked at.
        """
        if np.array_equal(T_camera_room, np.eye(4)):
            for light in (self.light, self._halved):
                if light.shape[:2] == (height, width):
                    return light
        T = np.linalg.inv(T_camera_room)
        normal = T_camera_room[:3, 2]
        toward_wall = T[:3, :3] + np.outer(T[:3, 3], normal) / (WALL_DISTANCE - T[2, 3])
        corner = np.array([[1.0, 0.0, -0.5], [0.0, 1.0, -0.5], [0.0, 0.0, 1.0]])
        homography = corner @ self.K @ toward_wall @ np.linalg.inv(corner @ K)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen = cv2.warpPerspective(self._single, homography, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT)
        return seen.astype(np.float64)


def make_room(size: int, K: Float[np.ndarray, "3 3"], seed: int, camera_moves: bool) -> Room:
    """The room of a clip of `size` pixels: exactly the camera's picture, or one with a margin where the camera moves; K is in its pixels."""
    side = 2 * round(MARGIN * size / 2) if camera_moves else size
    K = K.copy()
    K[:2, 2] += (side - size) / 2
    return Room(linear(draw_background(side, side, seed)), K)
