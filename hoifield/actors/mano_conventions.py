"""What a MANO file says beside its hand model: where the root joint rests, and what the pose parameters of data sets count from."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hoifield.actors.mano_file import find_mano, read_mano_arrays
from hoifield.actors.skinned_model import Side
from hoifield.errors import RefusedInput

NAMES = ("v_template", "shapedirs", "J_regressor", "hands_mean", "hands_components")
SHAPES = {"v_template": (778, 3), "shapedirs": (778, 3, 10), "J_regressor": (16, 778), "hands_mean": (45,), "hands_components": (45, 45)}


@dataclass(frozen=True)
class ManoConventions:
    """Of one side's own MANO file. Data sets count poses from its mean pose or in its principal components, and place the hand by a
    translation of its rest pose, whose root joint is not at the origin."""

    root: Float[np.ndarray, "3"]
    root_directions: Float[np.ndarray, "3 component=10"]
    mean_pose: Float[np.ndarray, "45"]
    components: Float[np.ndarray, "component=45 45"]

    def root_of(self, shape: Float[np.ndarray, "component=10"]) -> Float[np.ndarray, "3"]:
        """The root joint of a shape at rest, metres in the file's own frame: MANO's translations add to it."""
        return self.root + self.root_directions @ shape

    def pose_from_mean(self, offsets: Float[np.ndarray, "frame 45"]) -> Float[np.ndarray, "frame joint=15 3"]:
        """Axis-angle poses from the flat hand, of offsets from the mean pose (`flat_hand_mean=False`)."""
        return (offsets + self.mean_pose).reshape(-1, 15, 3)

    def pose_from_components(self, coefficients: Float[np.ndarray, "frame component=45"]) -> Float[np.ndarray, "frame joint=15 3"]:
        """Axis-angle poses from the flat hand, of all 45 principal components (`use_pca=True, ncomps=45, flat_hand_mean=False`)."""
        return self.pose_from_mean(coefficients @ self.components)


def read_mano_conventions(side: Side) -> ManoConventions | None:
    """Those of the user's MANO file of that very side, None without one. Raises RefusedInput (HF-ACT-005, -007)."""
    path = find_mano(side)
    if path is None or side.upper() not in path.name:
        return None
    arrays = read_mano_arrays(path, NAMES)
    wrong = {name: arrays[name].shape for name in NAMES if arrays[name].shape != SHAPES[name] or not np.isfinite(arrays[name]).all()}
    if wrong:
        cause = f"{path.name} has arrays of other shapes, or not finite: {wrong}"
        raise RefusedInput("HF-ACT-007", cause, "use MANO_RIGHT.pkl or MANO_LEFT.pkl as released on mano.is.tue.mpg.de")
    regressor = arrays["J_regressor"][0]
    return ManoConventions(
        root=regressor @ arrays["v_template"],
        root_directions=np.einsum("v,vak->ak", regressor, arrays["shapedirs"]),
        mean_pose=arrays["hands_mean"],
        components=arrays["hands_components"],
    )
