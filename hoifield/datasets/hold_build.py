"""HOLD's `build/` folder: its users' clips brought in, and a run written out for HOLD to start from.

image/%04d.png, mask/%04d.png (0 background, 50 object, 150 right hand, 250 left hand), corres.txt (original names), data.npy (a pickled
dictionary: cameras, poses of MANO's hands and of the object, in a frame with OpenGL's axes that is shifted by `normalize_shift`).
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from hoifield.actors.mano_conventions import ManoConventions
from hoifield.actors.skinned_model import Side
from hoifield.clip.image_folder import list_images
from hoifield.datasets.assemble_truth import CV_FROM_GL
from hoifield.datasets.encode_pickle import Plain, encode_npy_dictionary
from hoifield.datasets.truth import Labels
from hoifield.errors import RefusedInput
from hoifield.geometry.rotations import axis_angles_of
from hoifield.observations.frame_masks import BACKGROUND, LEFT_HAND, OBJECT, RIGHT_HAND
from hoifield.plain_pickle import RefusedPickleError, read_pickled_npy
from hoifield.result.fit_result import FitResult, HandResult
from hoifield.result.mano_parameters import mano_parameters, require_mano_conventions
from hoifield.storage import cache_folder, commit_directory, is_committed, sha256_of, write_file

MASK_VALUES = {0: BACKGROUND, 50: OBJECT, 150: RIGHT_HAND, 250: LEFT_HAND}
BOUNDING_SPHERE, RADIUS_RATIO = 6.0, 3.0
"""HOLD's defaults: the camera lies at distance 2 from the origin of its normalised scene."""
CLOUD_POINTS = 5_000
HALF_PIXEL = 0.5
"""HOLD counts the centre of the first pixel as (0, 0)."""


@dataclass(frozen=True)
class BroughtClip:
    """What a fit takes of a build folder: values for --video, --masks and --intrinsics."""

    video: Path
    masks: Path | None
    intrinsics: str


def find_hold_build(path: Path) -> Path | None:
    """The build folder that `path` (itself, or the sequence's folder around it) names, None where it is none."""
    for folder in (path, path / "build"):
        if (folder / "data.npy").is_file() and (folder / "image").is_dir():
            return folder
    return None


def bring_hold_build(build: Path) -> BroughtClip:
    """The clip of a build folder, its camera, and its masks in the project's labels (kept in the cache folder).

    The poses in it are HOLD's own first guess, and are not used. Raises RefusedInput (HF-SET-020, -021).
    """
    pictures = list_images(build / "image")
    try:
        cameras = read_pickled_npy((build / "data.npy").read_bytes())
        P = (cameras.array("cameras", "world_mat_0") @ cameras.array("cameras", "scale_mat_0"))[:3].astype(np.float64)
        K = cv2.decomposeProjectionMatrix(P)[0]
    except (RefusedPickleError, ValueError, cv2.error) as error:
        cause = f"data.npy of {build.parent.name} does not give a camera ({error})"
        raise RefusedInput("HF-SET-020", cause, "build the folder again with HOLD's build_dataset.py") from error
    K = K / K[2, 2]
    numbers = (K[0, 0], K[1, 1], K[0, 2] + HALF_PIXEL, K[1, 2] + HALF_PIXEL)
    intrinsics = ",".join(f"{number:.6f}" for number in numbers)
    masks = sorted((build / "mask").glob("*.png"))
    if not masks:
        return BroughtClip(build / "image", None, intrinsics)
    digest = hashlib.sha256("".join(f"{path.name} {sha256_of(path)} " for path in [build / "data.npy", *pictures[:1], *masks]).encode())
    folder = cache_folder() / "hold" / digest.hexdigest()[:32]
    if not is_committed(folder):
        frame_of = {picture.stem: frame for frame, picture in enumerate(pictures)}
        numbered = {f"{frame_of[mask.stem]:06d}.png": mask for mask in masks if mask.stem in frame_of}
        commit_directory(folder, lambda made: _write_masks(made, numbered))
    return BroughtClip(build / "image", folder, intrinsics)


def _write_masks(folder: Path, masks: dict[str, Path]) -> None:
    for name, path in masks.items():
        write_file(folder / name, _png(_read_hold_mask(path)))


def _read_hold_mask(path: Path) -> Labels:
    """A mask in the project's labels."""
    values = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if values is None or not set(np.unique(values).tolist()) <= set(MASK_VALUES):
        found = "no picture" if values is None else f"the values {sorted(set(np.unique(values).tolist()) - set(MASK_VALUES))[:6]}"
        cause = f"mask/{path.name} holds {found}, not only 0, 50, 150 and 250"
        raise RefusedInput("HF-SET-021", cause, "make the masks with HOLD's validate_masks.py")
    labels = np.zeros(values.shape, dtype=np.uint8)
    for value, label in MASK_VALUES.items():
        labels[values == value] = label
    return labels


def write_hold_build(
    build: Path,
    result: FitResult,
    pictures: Iterable[tuple[int, UInt8[np.ndarray, "height width 3"]]],
    read_labels: Callable[[int], Labels],
    sequence: str,
) -> int:
    """Write a build folder of the frames in which everything is placed, and return their number.

    `pictures` are (frame number, RGB) of the whole clip. Raises RefusedInput (HF-SET-022) for a result without such frames and
    MissingInput (HF-SET-023) where a hand is not MANO's, or the user's MANO file of its side is not there: HOLD knows no other hand.
    """
    conventions = {hand.side: require_mano_conventions(hand) for hand in result.hands}
    placed = (result.object_confidence > 0) & np.all([hand.confidence > 0 for hand in result.hands], axis=0)
    rows = np.flatnonzero(placed)
    if not len(rows) or not result.hands:
        cause = f"{len(rows)} of {len(placed)} frames have an object and every one of {len(result.hands)} hands"
        raise RefusedInput("HF-SET-022", cause, "fit a clip in which hand and object are found")
    number_of = {int(frame): number for number, frame in enumerate(result.frame_index[rows])}
    for frame, picture in pictures:
        if frame in number_of:
            name = f"{number_of[frame]:04d}.png"
            write_file(build / "image" / name, _png(picture[..., ::-1]))
            write_file(build / "mask" / name, _png(_hold_values(read_labels(frame))))
    write_file(build / "corres.txt", "".join(f"{frame:06d}.png\n" for frame in number_of).encode())
    write_file(build / "data.npy", encode_npy_dictionary(_describe(result, rows, conventions, sequence)))
    return len(rows)


def _describe(
    result: FitResult, rows: Int[np.ndarray, "row"], conventions: dict[Side, ManoConventions], sequence: str
) -> dict[str, Plain]:
    """The dictionary of data.npy. The shift puts the object's middle at the origin, where HOLD looks for it."""
    middle = (result.object_mesh.vertices.min(0) + result.object_mesh.vertices.max(0)) / 2
    T = result.T_camera_object[rows]
    shift = -CV_FROM_GL @ np.median(T[:, :3, :3] @ middle + T[:, :3, 3], axis=0)
    entities: dict[str, Plain] = {hand.side: _hand_entity(hand, rows, conventions[hand.side], shift) for hand in result.hands}
    radius = float(np.linalg.norm(result.object_mesh.vertices - middle, axis=1).max())
    to_ball = np.eye(4)
    to_ball[:3] = np.concatenate([np.eye(3), -middle[:, None]], axis=1) / radius
    cloud = result.object_mesh.vertices[:: max(len(result.object_mesh.vertices) // CLOUD_POINTS, 1)]
    poses = np.concatenate([axis_angles_of(CV_FROM_GL @ T[:, :3, :3]), T[:, :3, 3] @ CV_FROM_GL + shift], axis=1)
    entities["object"] = {
        "obj_scale": 1.0,
        "pts.cano": (cloud - middle) / radius,
        "norm_mat": to_ball.astype(np.float32),
        "object_poses": poses,
    }
    return {
        "seq_name": sequence,
        "cameras": _cameras(result.K[rows], shift),
        "scene_bounding_sphere": BOUNDING_SPHERE,
        "max_radius_ratio": RADIUS_RATIO,
        "entities": entities,
        "normalize_shift": shift,
    }


def _hand_entity(hand: HandResult, rows: Int[np.ndarray, "row"], conventions: ManoConventions, shift: Float[np.ndarray, "3"]) -> Plain:
    """MANO's parameters in HOLD's frame, its angles counted from the mean pose."""
    T_hold_camera = np.eye(4)
    T_hold_camera[:3, :3], T_hold_camera[:3, 3] = CV_FROM_GL, shift
    parameters = mano_parameters(hand, conventions, T_hold_camera)
    return {
        "hand_poses": np.concatenate([parameters.global_orient, parameters.hand_pose - conventions.mean_pose], axis=1)[rows],
        "hand_trans": parameters.transl[rows],
        "mean_shape": parameters.betas,
    }


def _cameras(K: Float[np.ndarray, "row 3 3"], shift: Float[np.ndarray, "3"]) -> dict[str, Plain]:
    """World (the shifted frame) to pixels, and the scale of the normalised scene, for every frame."""
    extrinsic = np.eye(4)
    extrinsic[:3, :3], extrinsic[:3, 3] = CV_FROM_GL, -CV_FROM_GL @ shift
    scale = np.eye(4, dtype=np.float32)
    scale[[0, 1, 2], [0, 1, 2]] = np.linalg.norm(shift) * RADIUS_RATIO / BOUNDING_SPHERE
    cameras: dict[str, Plain] = {}
    for number, matrix in enumerate(K):
        padded = np.eye(4)
        padded[:3, :3] = matrix
        padded[:2, 2] -= HALF_PIXEL
        cameras[f"scale_mat_{number}"], cameras[f"world_mat_{number}"] = scale, padded @ extrinsic
    return cameras


def _hold_values(labels: Labels) -> Labels:
    """HOLD's values of the project's labels."""
    values = np.zeros(labels.shape, dtype=np.uint8)
    for value, label in MASK_VALUES.items():
        values[labels == label] = value
    return values


def _png(picture: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", np.ascontiguousarray(picture))[1].tobytes())
