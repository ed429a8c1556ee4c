"""HO3D-v3 (Hampali et al. 2020): one sequence of the set, as its authors' scripts read it.

SEQUENCE/rgb/%04d.jpg and SEQUENCE/meta/%04d.pkl below train/ or evaluation/; YCB's models/NAME/textured_simple.obj beside those two. A
frame's dictionary: camMat, objName, objRot (axis-angle) and objTrans, and for train handPose (48, from the flat hand), handBeta,
handTrans, handJoints3D (21, MANO's order); the camera has OpenGL's axes. None where a frame has no annotation. The evaluation split
gives the wrist alone, so that it has no hand here.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hoifield.clip.image_folder import list_images
from hoifield.datasets.assemble_truth import (
    CV_FROM_GL,
    AnnotatedClip,
    AnnotatedHand,
    assemble_truth,
    keypoints_of_mano,
    picture_size,
    read_model,
    rotations_of,
)
from hoifield.datasets.truth import Truth
from hoifield.errors import RefusedInput
from hoifield.plain_pickle import PlainPickle, RefusedPickleError, read_pickle

FRAMES_PER_SECOND = 30.0
REMEDY = "use the set as released (HO3D_v3), with YCB's models/ beside train/ and evaluation/"


@dataclass(frozen=True)
class Ho3dSequence:
    """A sequence's folder, the one that holds rgb/ and meta/. The clip to fit is its rgb/."""

    folder: Path


def find_ho3d_sequence(path: Path) -> Ho3dSequence | None:
    """The sequence that `path` (its folder, or its rgb/) names, None where it is none."""
    folder = path.parent if path.name == "rgb" else path
    is_sequence = (folder / "rgb").is_dir() and next((folder / "meta").glob("*.pkl"), None) is not None
    return Ho3dSequence(folder) if is_sequence else None


def read_ho3d(sequence: Ho3dSequence) -> Truth:
    """Object and right hand of every picture. Raises MissingInput (HF-SET-002) and RefusedInput (HF-SET-003, -004)."""
    pictures = list_images(sequence.folder / "rgb")
    metas = [_read_meta(sequence.folder / "meta" / f"{picture.stem}.pkl") for picture in pictures]
    annotated = [meta for meta in metas if meta is not None and meta.holds("objRot")]
    if not annotated:
        raise RefusedInput("HF-SET-004", f"none of the {len(pictures)} frames of {sequence.folder.name} has an object pose", REMEDY)
    try:
        name, K = annotated[0].text("objName"), annotated[0].array("camMat").reshape(3, 3).astype(np.float64)
        T = _object_poses(metas)
        hands = _hands(metas)
    except (RefusedPickleError, ValueError) as error:
        raise RefusedInput("HF-SET-003", f"an annotation of {sequence.folder.name} holds {error}", REMEDY) from error
    mesh = read_model(sequence.folder.parent.parent / "models" / name / "textured_simple.obj")
    clip = AnnotatedClip(sequence.folder.name, len(pictures), FRAMES_PER_SECOND, picture_size(pictures[0]))
    return Truth(assemble_truth(clip, K, mesh, T, hands))


def _read_meta(path: Path) -> PlainPickle | None:
    """A frame's annotation; None where there is no file."""
    if not path.is_file():
        return None
    try:
        return read_pickle(path.read_bytes())
    except RefusedPickleError as error:
        raise RefusedInput("HF-SET-003", f"{path.parent.parent.name}/meta/{path.name} holds {error}", REMEDY) from error


def _object_poses(metas: list[PlainPickle | None]) -> np.ndarray:
    T = np.full((len(metas), 4, 4), np.nan)
    for frame, meta in enumerate(metas):
        if meta is not None and meta.holds("objRot") and meta.holds("objTrans"):
            T[frame] = np.eye(4)
            T[frame, :3, :3] = CV_FROM_GL @ rotations_of(meta.array("objRot").reshape(1, 3))[0]
            T[frame, :3, 3] = CV_FROM_GL @ meta.array("objTrans").reshape(3)
    return T


def _hands(metas: list[PlainPickle | None]) -> tuple[AnnotatedHand, ...]:
    """The right hand; nothing where no frame has its pose."""
    pose, joints = np.full((len(metas), 48), np.nan), np.full((len(metas), 21, 3), np.nan)
    shapes = []
    for frame, meta in enumerate(metas):
        if meta is not None and meta.holds("handPose") and meta.holds("handJoints3D"):
            pose[frame], joints[frame] = meta.array("handPose").reshape(48), meta.array("handJoints3D").reshape(21, 3) @ CV_FROM_GL
            shapes.append(meta.array("handBeta").reshape(10))
    if not shapes:
        return ()
    rotation = CV_FROM_GL @ rotations_of(pose[:, :3])
    keypoints = keypoints_of_mano(joints)
    shape = np.mean(shapes, axis=0)
    return (AnnotatedHand("right", rotation, keypoints[:, 0], pose[:, 3:].reshape(-1, 15, 3), shape, keypoints),)
