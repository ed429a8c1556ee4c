"""Recorded motions of a real hand, and of what it holds, as the hand tracker of Tzionas et al. writes them (ICCV 2015, IJCV 2016).

A folder holds `Model_Hand_R.MOTION` and, where the object was tracked too, one `Model_Object_*.MOTION`. Per bone: a line with its name,
then one line per frame with nine rotation numbers (row-major) and the translation, from the bone to the camera, millimetres; the first
frame is the rest pose.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from hoifield.errors import MissingInput, RefusedInput

HAND_FILE, OBJECT_FILES = "Model_Hand_R.MOTION", "Model_Object_*.MOTION"
WRIST_BONE = "Lower Arm R"
KNUCKLE_BONES = ("RFing.3_0", "RFing.2_0", "RFing.1_0", "RFing.0_0")
"""Index, middle, ring, little."""
NUMBERS_PER_LINE = 12
MOST_ROTATION_ERROR = 1e-3
FEWEST_FRAMES = 3
REMEDY = "name a folder in the layout of the hand motion viewers of Tzionas et al., with Model_Hand_R.MOTION"


@dataclass(frozen=True)
class Recording:
    """A right hand and an object over the frames of a recording; camera frame (OpenCV axes), metres."""

    wrist_at_rest: Float[np.ndarray, "3"]
    knuckles_at_rest: Float[np.ndarray, "finger=4 3"]
    """Index, middle, ring, little: where the model's bones begin before they move."""
    T_camera_rest: Float[np.ndarray, "frame 4 4"]
    """Carries points of the palm at rest to where they are."""
    object_place: Float[np.ndarray, "frame 3"] | None
    """Where the object's bone is; None where no object was tracked. Its turn is left out: that of a round object means nothing."""


def read_recording(folder: Path) -> Recording:
    """The recording in a folder. Raises MissingInput (HF-SYN-006) without the hand's file and RefusedInput (HF-SYN-007) for damaged ones."""
    path = folder / HAND_FILE
    if not path.is_file():
        raise MissingInput("HF-SYN-006", f"{folder.name!r} holds no {HAND_FILE}", REMEDY)
    bones = _read_bones(path)
    missing = [name for name in (WRIST_BONE, *KNUCKLE_BONES) if name not in bones]
    if missing:
        raise RefusedInput("HF-SYN-007", f"{HAND_FILE} has {len(bones)} bones but not {missing[0]!r}", REMEDY)
    T_camera_rest = _from_rest(bones[WRIST_BONE])
    objects = sorted(folder.glob(OBJECT_FILES))
    object_place = next(iter(_read_bones(objects[0]).values()))[1:, :3, 3] if objects else None
    if object_place is not None and len(object_place) != len(T_camera_rest):
        raise RefusedInput(
            "HF-SYN-007", f"{objects[0].name} has {len(object_place)} frames, {HAND_FILE} has {len(T_camera_rest)}", "restore the files"
        )
    knuckles = np.stack([bones[name][0, :3, 3] for name in KNUCKLE_BONES])
    return Recording(bones[WRIST_BONE][0, :3, 3], knuckles, T_camera_rest, object_place)


def _read_bones(path: Path) -> dict[str, Float[np.ndarray, "frame 4 4"]]:
    """Transforms of each bone, metres, all of one length; the first is the rest pose."""
    rows: dict[str, list[list[float]]] = {}
    current: list[list[float]] = []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        numbers = _numbers(line)
        if numbers is None:
            if line.strip():
                current = rows.setdefault(line.strip(), [])
        elif len(numbers) == NUMBERS_PER_LINE and rows:
            current.append(numbers)
        else:
            raise RefusedInput("HF-SYN-007", f"line {number} of {path.name} has {len(numbers)} numbers instead of 12", REMEDY)
    counts = {len(values) for values in rows.values()}
    if len(counts) != 1 or min(counts) < FEWEST_FRAMES:
        raise RefusedInput("HF-SYN-007", f"the {len(rows)} bones of {path.name} have {sorted(counts)} frames", REMEDY)
    return {name: _transforms(np.array(values), path.name) for name, values in rows.items()}


def _numbers(line: str) -> list[float] | None:
    """The numbers of a line; None for a line that is no row of numbers."""
    words = line.split()
    try:
        return [float(word) for word in words] if words else None
    except ValueError:
        return None


def _transforms(rows: Float[np.ndarray, "frame 12"], name: str) -> Float[np.ndarray, "frame 4 4"]:
    """Rigid transforms of rows in millimetres."""
    rotations = rows[:, :9].reshape(-1, 3, 3)
    error = np.abs(rotations @ rotations.transpose(0, 2, 1) - np.eye(3)).max() if np.isfinite(rows).all() else np.inf
    if not (error < MOST_ROTATION_ERROR and (np.linalg.det(rotations) > 0).all()):
        raise RefusedInput("HF-SYN-007", f"rotations of {name} are off by {error:.2g}, or mirrored", "restore the files")
    T = np.tile(np.eye(4), (len(rows), 1, 1))
    u, _, vt = np.linalg.svd(rotations)
    T[:, :3, :3] = u @ vt
    T[:, :3, 3] = rows[:, 9:] / 1000
    return T


def _from_rest(T_camera_bone: Float[np.ndarray, "frame 4 4"]) -> Float[np.ndarray, "moving 4 4"]:
    """Carries points at rest, without the frame of rest."""
    return T_camera_bone[1:] @ np.linalg.inv(T_camera_bone[0])
