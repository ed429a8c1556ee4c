"""DexYCB (Chao et al. 2021): one camera of one sequence, as its toolkit reads it.

SUBJECT/SEQUENCE/meta.yml beside SERIAL/color_%06d.jpg and SERIAL/labels_%06d.npz (seg, pose_y, pose_m, joint_3d, in that camera, OpenCV
axes, metres); calibration/intrinsics/SERIAL_640x480.yml, calibration/mano_ID/mano.yml (betas), models/NAME/textured_simple.obj. The hand's
pose is in principal components of MANO, so that it and the skin need the user's MANO file; the joints do not. The object is the grasped
one; the others of the scene count as background.
"""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hoifield.actors.mano_conventions import read_mano_conventions
from hoifield.actors.skinned_model import Side
from hoifield.datasets.assemble_truth import AnnotatedClip, AnnotatedHand, assemble_truth, picture_size, read_model, rotations_of
from hoifield.datasets.plain_yaml import parse_plain_yaml
from hoifield.datasets.truth import Labels, Truth
from hoifield.errors import RefusedInput
from hoifield.observations.frame_masks import LEFT_HAND, OBJECT, RIGHT_HAND

FRAMES_PER_SECOND = 30.0
HAND_LABEL = 255
YCB_NAMES = {
    **{1: "002_master_chef_can", 2: "003_cracker_box", 3: "004_sugar_box", 4: "005_tomato_soup_can", 5: "006_mustard_bottle"},
    **{6: "007_tuna_fish_can", 7: "008_pudding_box", 8: "009_gelatin_box", 9: "010_potted_meat_can", 10: "011_banana"},
    **{11: "019_pitcher_base", 12: "021_bleach_cleanser", 13: "024_bowl", 14: "025_mug", 15: "035_power_drill", 16: "036_wood_block"},
    **{17: "037_scissors", 18: "040_large_marker", 19: "051_large_clamp", 20: "052_extra_large_clamp", 21: "061_foam_brick"},
}
"""Labels of the segmentation, and the folders of the models."""
REMEDY = "use the set as released, with calibration/ and models/ beside the subjects"


@dataclass(frozen=True)
class DexYcbView:
    """The folder of one camera (its serial number) in a sequence. The clip to fit is its color_%06d.jpg alone."""

    folder: Path


def find_dexycb_view(path: Path) -> DexYcbView | None:
    """The view that `path` names, None where it is none."""
    is_view = (path / "labels_000000.npz").is_file() and (path.parent / "meta.yml").is_file()
    return DexYcbView(path) if is_view else None


def read_dexycb(view: DexYcbView) -> Truth:
    """The grasped object and the hand of every frame, with masks. Raises MissingInput (HF-SET-002) and RefusedInput (HF-SET-003)."""
    folder, root = view.folder, view.folder.parents[2]
    label_files = sorted(folder.glob("labels_*.npz"))
    pictures = sorted(folder.glob("color_*.jpg"))
    if not pictures:
        raise RefusedInput("HF-SET-003", f"{folder.name} holds {len(label_files)} labels and no color_*.jpg", REMEDY)
    try:
        meta = _read_yaml(folder.parent / "meta.yml")
        grasped, side = int(meta["ycb_grasp_ind"]), _side(meta["mano_sides"][0])
        label = int(meta["ycb_ids"][grasped])
        camera = _read_yaml(root / "calibration" / "intrinsics" / f"{folder.name}_640x480.yml")["color"]
        K = np.array([[camera["fx"], 0.0, camera["ppx"]], [0.0, camera["fy"], camera["ppy"]], [0.0, 0.0, 1.0]])
        betas = np.array(_read_yaml(root / "calibration" / f"mano_{meta['mano_calib'][0]}" / "mano.yml")["betas"], dtype=np.float64).reshape(10)
        T, hand = _read_labels_of(label_files, grasped, side, betas)
        name = YCB_NAMES[label]
    except (KeyError, IndexError, TypeError, ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RefusedInput("HF-SET-003", f"{folder.parent.name}/{folder.name} is not read ({type(error).__name__}: {error})", REMEDY) from error
    mesh = read_model(root / "models" / name / "textured_simple.obj")
    clip = AnnotatedClip(f"{folder.parent.name}_{folder.name}", len(label_files), FRAMES_PER_SECOND, picture_size(pictures[0]))
    hand_label = RIGHT_HAND if side == "right" else LEFT_HAND
    return Truth(assemble_truth(clip, K, mesh, T, (hand,)), read_labels=lambda frame: _read_mask(label_files[frame], label, hand_label))


def _read_yaml(path: Path) -> dict[str, Any]:
    return parse_plain_yaml(path.read_text(encoding="utf-8"))


def _side(word: str) -> Side:
    if word == "right":
        return "right"
    if word == "left":
        return "left"
    raise ValueError(f"the hand {word!r} is neither right nor left")


def _read_labels_of(files: list[Path], grasped: int, side: Side, betas: np.ndarray) -> tuple[np.ndarray, AnnotatedHand]:
    """T_camera_object of the grasped object and the hand per frame; zeros and -1 of the set become NaN."""
    T, mano, joints = np.full((len(files), 4, 4), np.nan), np.full((len(files), 51), np.nan), np.full((len(files), 21, 3), np.nan)
    for frame, path in enumerate(files):
        with np.load(path, allow_pickle=False) as arrays:
            pose, parameters, positions = arrays["pose_y"][grasped], arrays["pose_m"][0], arrays["joint_3d"][0]
        if pose.any():
            T[frame] = np.concatenate([pose, [[0.0, 0.0, 0.0, 1.0]]])
        if parameters.any():
            mano[frame], joints[frame] = parameters, positions
    conventions = read_mano_conventions(side)
    pose = np.full((len(files), 15, 3), np.nan) if conventions is None else conventions.pose_from_components(mano[:, 3:48])
    return T, AnnotatedHand(side, rotations_of(mano[:, :3]), joints[:, 0], pose, betas, joints)


def _read_mask(path: Path, label: int, hand_label: int) -> Labels:
    """The project's labels out of the set's segmentation."""
    with np.load(path, allow_pickle=False) as arrays:
        segmentation = arrays["seg"]
    labels = np.zeros(segmentation.shape, dtype=np.uint8)
    labels[segmentation == label], labels[segmentation == HAND_LABEL] = OBJECT, hand_label
    return labels
