"""HOI4D (Liu et al. 2022): one clip of a rigid object, as its instructions and DiffHOI's scripts read it.

INDEX is ZY*/H*/C*/N*/S*/s*/T*. HOI4D_release/INDEX/align_rgb holds image.mp4 or the decoded %05d.jpg; HOI4D_annotations/INDEX/objpose
%d.json (centre, Euler angles "XYZ") and 2Dseg/mask or shift_mask %05d.png (red object, green hands); camera_params/ZY*/intrin.npy;
HOI4D_CAD_Model_for_release/rigid/CATEGORY/%03d.obj; handpose/refinehandpose_right (_left)/INDEX/%d.pickle (poseCoeff from the flat hand,
beta, trans). Hands are given in MANO's parameters alone: without the user's MANO file there are none.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from hoifield.actors.mano_conventions import read_mano_conventions
from hoifield.actors.skinned_model import Side
from hoifield.clip.open_clip import open_clip
from hoifield.datasets.assemble_truth import AnnotatedClip, AnnotatedHand, assemble_truth, picture_size, read_model, rotations_of
from hoifield.datasets.truth import Labels, Truth
from hoifield.errors import MissingInput, RefusedInput
from hoifield.observations.frame_masks import OBJECT, RIGHT_HAND
from hoifield.plain_pickle import RefusedPickleError, read_pickle

FRAMES_PER_SECOND = 15.0
CATEGORIES = {1: "ToyCar", 2: "Mug", 5: "Bottle", 7: "Bowl", 12: "Kettle", 13: "Knife"}
"""The rigid ones that DiffHOI uses, by the number behind C; the others are articulated or large."""
INDEX = re.compile(r"(ZY\d+/H\d+/C(\d+)/N(\d+)/S\d+/s\d+/T\d+)")
REMEDY = "use the set as released, its folders HOI4D_release, HOI4D_annotations, handpose and so on side by side"


@dataclass(frozen=True)
class Hoi4dClip:
    """The folder that holds HOI4D_annotations, and the clip's index below it. The clip to fit is its align_rgb (or image.mp4)."""

    root: Path
    index: str


def find_hoi4d_clip(path: Path) -> Hoi4dClip | None:
    """The clip that `path` (its folder below HOI4D_release or HOI4D_annotations, or its align_rgb) names, None where it is none."""
    match = re.search(r"/HOI4D_(?:release|annotations)/" + INDEX.pattern, path.absolute().as_posix())
    if match is None:
        return None
    root = Path(path.absolute().as_posix()[: match.start()])
    return Hoi4dClip(root, match[1]) if (root / "HOI4D_annotations" / match[1] / "objpose").is_dir() else None


def read_hoi4d(clip: Hoi4dClip) -> Truth:
    """The object, the masks, and the hands where the user has MANO. Raises MissingInput (HF-SET-002, -005), RefusedInput (HF-SET-003)."""
    match = INDEX.fullmatch(clip.index)
    category = CATEGORIES.get(int(match[2])) if match else None
    if match is None or category is None:
        raise RefusedInput("HF-SET-003", f"{clip.index} shows no object of the rigid categories {', '.join(CATEGORIES.values())}", REMEDY)
    annotations = clip.root / "HOI4D_annotations" / clip.index
    frames, size = _measure_pictures(clip.root / "HOI4D_release" / clip.index / "align_rgb")
    try:
        K = np.load(clip.root / "camera_params" / clip.index.split("/")[0] / "intrin.npy", allow_pickle=False).astype(np.float64).reshape(3, 3)
        T = np.stack([_read_object_pose(annotations / "objpose" / f"{frame}.json") for frame in range(frames)])
        hands = [_read_hand(clip.root / "handpose" / f"refinehandpose_{side}" / clip.index, side, frames) for side in get_args(Side)]
    except (KeyError, IndexError, TypeError, ValueError, OSError) as error:
        raise RefusedInput("HF-SET-003", f"{clip.index} is not read ({type(error).__name__}: {error})", REMEDY) from error
    mesh = read_model(clip.root / "HOI4D_CAD_Model_for_release" / "rigid" / category / f"{int(match[3]):03d}.obj")
    annotated = AnnotatedClip(clip.index.replace("/", "_"), frames, FRAMES_PER_SECOND, size)
    result = assemble_truth(annotated, K, mesh, T, tuple(hand for hand in hands if hand is not None))
    return Truth(result, read_labels=lambda frame: _read_mask(annotations / "2Dseg", frame))


def _measure_pictures(folder: Path) -> tuple[int, tuple[int, int]]:
    """Number and size (width, height) of the frames, decoded or in the video."""
    pictures = sorted(folder.glob("*.jpg"))
    if pictures:
        return len(pictures), picture_size(pictures[0])
    if not (folder / "image.mp4").is_file():
        raise MissingInput("HF-SET-005", f"{folder} holds neither image.mp4 nor decoded pictures", REMEDY)
    video = open_clip(folder / "image.mp4")
    return video.frame_count, (video.width, video.height)


def _read_object_pose(path: Path) -> np.ndarray:
    """T_camera_object of the first object of a frame; NaN where the frame has no file."""
    if not path.is_file():
        return np.full((4, 4), np.nan)
    content = json.loads(path.read_text(encoding="utf-8"))
    entry = content["dataList" if "dataList" in content else "objects"][0]
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("XYZ", [entry["rotation"][axis] for axis in "xyz"]).as_matrix()
    T[:3, 3] = [entry["center"][axis] for axis in "xyz"]
    return T


def _read_hand(folder: Path, side: Side, frames: int) -> AnnotatedHand | None:
    """The hand of one side; None where it is not annotated, or the user has no MANO file that says where its root joint rests."""
    conventions = read_mano_conventions(side) if folder.is_dir() else None
    if conventions is None:
        return None
    pose, root, shapes = np.full((frames, 48), np.nan), np.full((frames, 3), np.nan), []
    for frame in range(frames):
        path = folder / f"{frame}.pickle"
        if path.is_file():
            try:
                content = read_pickle(path.read_bytes())
                shape = content.array("beta").astype(np.float64).reshape(10)
                pose[frame] = content.array("poseCoeff").reshape(48)
                root[frame] = conventions.root_of(shape) + content.array("trans").reshape(3)
            except RefusedPickleError as error:
                raise ValueError(f"{folder.name}/{path.name} holds {error}") from error
            shapes.append(shape)
    if not shapes:
        return None
    return AnnotatedHand(side, rotations_of(pose[:, :3]), root, pose[:, 3:].reshape(-1, 15, 3), np.mean(shapes, axis=0), None)


def _read_mask(folder: Path, frame: int) -> Labels | None:
    """Red is the object, green the hands (their side is not told: both bear the right hand's label)."""
    for name in ("mask", "shift_mask"):
        path = folder / name / f"{frame:05d}.png"
        colours = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
        if colours is not None:
            blue, green, red = (colours[..., channel] > max(int(colours.max()) / 2, 1) for channel in range(3))
            labels = np.zeros(red.shape, dtype=np.uint8)
            labels[red & ~green & ~blue], labels[green & ~red & ~blue] = OBJECT, RIGHT_HAND
            return labels
    return None
