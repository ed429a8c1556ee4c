"""ARCTIC (Fan et al. 2023): one fixed camera of one sequence, as its code reads it.

images/SUBJECT/SEQUENCE/VIEW/%05d.jpg (views 1 to 8; 0 is the distorted head camera); meta/misc.json (world2cam, intris_mat, image_size,
ioi_offset); meta/object_vtemplates/NAME/mesh.obj (millimetres) and parts.json; processed_seqs/SUBJECT/SEQUENCE.npy, made by its
process_seqs.py: joints of both hands in every camera, and the parameters in the world. Angles of the fingers count from MANO's mean pose,
so that they and the skin need the user's MANO file; the joints do not. The object must keep its joint still (the "grab" sequences).
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hoifield.actors.mano_conventions import read_mano_conventions
from hoifield.actors.skinned_model import Side
from hoifield.clip.image_folder import list_images
from hoifield.datasets.assemble_truth import (
    AnnotatedClip,
    AnnotatedHand,
    assemble_truth,
    keypoints_of_mano,
    picture_size,
    read_model,
    rotations_of,
)
from hoifield.datasets.truth import Truth
from hoifield.errors import MissingInput, RefusedInput
from hoifield.geometry.mesh import Mesh
from hoifield.plain_pickle import PlainPickle, RefusedPickleError, read_pickled_npy

FRAMES_PER_SECOND = 30.0
LARGEST_PLAY = np.radians(5.0)
"""Spread (5th to 95th percentile) of the articulation angle up to which an object counts as rigid."""
PLACES = ("processed_seqs/{}/{}.npy", "../outputs/processed/seqs/{}/{}.npy", "../../../outputs/processed/seqs/{}/{}.npy")
"""Where process_seqs.py writes, seen from the folder that holds images/ and meta/."""
REMEDY = "run ARCTIC's scripts_data/process_seqs.py on the sequence, and put the file where docs/real_sets.md says"


@dataclass(frozen=True)
class ArcticView:
    """The folder that holds images/ and meta/, and the pictures of one fixed camera below it, which are the clip to fit."""

    root: Path
    subject: str
    sequence: str
    view: int

    @property
    def pictures(self) -> Path:
        """The folder of pictures."""
        return self.root / "images" / self.subject / self.sequence / str(self.view)


def find_arctic_view(path: Path) -> ArcticView | None:
    """The view whose folder of pictures `path` is, None where it is none."""
    match = re.search(r"/images/(s\d\d)/(\w+)/([1-8])$", path.absolute().as_posix())
    if match is None:
        return None
    root = Path(path.absolute().as_posix()[: match.start()])
    return ArcticView(root, match[1], match[2], int(match[3])) if (root / "meta" / "misc.json").is_file() else None


def read_arctic(view: ArcticView) -> Truth:
    """Object and both hands of every picture. Raises MissingInput (HF-SET-002, -005) and RefusedInput (HF-SET-003)."""
    found = [path for place in PLACES if (path := view.root / place.format(view.subject, view.sequence)).is_file()]
    if not found:
        raise MissingInput("HF-SET-005", f"there is no processed {view.subject}/{view.sequence}.npy beside {view.root / 'images'}", REMEDY)
    pictures = list_images(view.pictures)
    try:
        misc = json.loads((view.root / "meta" / "misc.json").read_text(encoding="utf-8"))[view.subject]
        K, T_camera_world = (np.array(misc[key], dtype=np.float64)[view.view - 1] for key in ("intris_mat", "world2cam"))
        sequence = read_pickled_npy(found[0].read_bytes())
        rows = np.array([int(picture.stem) for picture in pictures]) - int(misc["ioi_offset"])
        T = T_camera_world @ _object_poses(sequence)
        hands = [_hand(sequence, side, view.view, T_camera_world[:3, :3]) for side in ("right", "left")]
        mesh = _object_mesh(view, sequence)
        kept = (rows >= 0) & (rows < len(T))
        T, hands = _take(T, rows, kept), [_rows_of(hand, rows, kept) for hand in hands]
    except (RefusedPickleError, KeyError, IndexError, TypeError, ValueError, OSError) as error:
        raise RefusedInput("HF-SET-003", f"{view.subject}/{view.sequence} is not read ({type(error).__name__}: {error})", REMEDY) from error
    name = f"arctic_{view.subject}_{view.sequence}_{view.view}"
    clip = AnnotatedClip(name, len(pictures), FRAMES_PER_SECOND, picture_size(pictures[0]))
    return Truth(assemble_truth(clip, K, mesh, T, tuple(hands)))


def _object_poses(sequence: PlainPickle) -> np.ndarray:
    """T_world_object per frame of the sequence."""
    rotation, translation = sequence.array("params", "obj_rot"), sequence.array("params", "obj_trans") / 1000
    T = np.tile(np.eye(4), (len(rotation), 1, 1))
    T[:, :3, :3], T[:, :3, 3] = rotations_of(rotation), translation
    return T


def _object_mesh(view: ArcticView, sequence: PlainPickle) -> Mesh:
    """The object with its upper part (0 in parts.json) turned about -z by the sequence's angle, metres."""
    angles = sequence.array("params", "obj_arti").reshape(-1)
    low, middle, high = np.percentile(angles, [5, 50, 95])
    if high - low > LARGEST_PLAY:
        raise ValueError(f"the object opens and closes over {np.degrees(high - low):.0f} degrees, and only rigid ones are scored")
    folder = view.root / "meta" / "object_vtemplates" / view.sequence.split("_")[0]
    mesh = read_model(folder / "mesh.obj", 0.001)
    parts = np.array(json.loads((folder / "parts.json").read_text(encoding="utf-8")), dtype=bool)
    if parts.shape != (len(mesh.vertices),):
        raise ValueError(f"parts.json speaks of {parts.size} vertices, mesh.obj has {len(mesh.vertices)}")
    turned = mesh.vertices @ rotations_of(np.array([[0.0, 0.0, -middle]]))[0].T
    return Mesh(np.where(parts[:, None], mesh.vertices, turned), mesh.faces)


def _hand(sequence: PlainPickle, side: Side, view: int, R_camera_world: np.ndarray) -> AnnotatedHand:
    """One hand in the camera, per frame of the sequence."""
    letter = side[0]
    rotation, offsets, shape = (sequence.array("params", f"{name}_{letter}") for name in ("rot", "pose", "shape"))
    keypoints = keypoints_of_mano(sequence.array("cam_coord", f"joints.{side}")[:, view].astype(np.float64))
    conventions = read_mano_conventions(side)
    pose = np.full((len(rotation), 15, 3), np.nan) if conventions is None else conventions.pose_from_mean(offsets.astype(np.float64))
    betas = shape.reshape(-1, 10).mean(0).astype(np.float64)
    return AnnotatedHand(side, R_camera_world @ rotations_of(rotation), keypoints[:, 0], pose, betas, keypoints)


def _rows_of(hand: AnnotatedHand, rows: np.ndarray, kept: np.ndarray) -> AnnotatedHand:
    """The hand on the frames of the pictures."""
    taken: dict[str, Any] = {name: _take(getattr(hand, name), rows, kept) for name in ("rotation", "root", "pose", "keypoints")}
    return AnnotatedHand(hand.side, shape=hand.shape, **taken)


def _take(values: np.ndarray, rows: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Rows of an array; NaN where a picture has none."""
    taken = np.asarray(values, dtype=np.float64)[np.where(kept, rows, 0)].copy()
    taken[~kept] = np.nan
    return taken
