"""The zip that HOLD's ARCTIC server takes (bimanual category-agnostic reconstruction): arctic_preds/SEQUENCE.pt, one per clip."""

import io
import re
import zipfile
from pathlib import Path

import numpy as np

from hoifield.actors.skinned_model import KEYPOINT_FROM_JOINT, Side
from hoifield.datasets.encode_pickle import ZIP_DATE, Plain, encode_torch_dictionary
from hoifield.errors import RefusedInput, UsageError
from hoifield.result.fit_result import FitResult, HandResult
from hoifield.storage import write_file

SEQUENCE = re.compile(r"arctic_s\d\d_\w+_\d")
MANO_VERTICES = 778
READER_CLASS = "common.xdict xdict"
"""The dictionary class of HOLD's evaluation, which calls a method of it."""


def encode_arctic_prediction(result: FitResult, sequence: str) -> bytes:
    """The .pt file of one clip: camera frame, metres, half precision as HOLD writes it; NaN where nothing was placed.

    MANO's extra vertex (the middle of the closed wrist) is left out; the built-in hand has vertices of its own number, which the
    released evaluation does not read. Raises UsageError (HF-SET-010) for a name that is no sequence, RefusedInput (HF-SET-011) for
    a result that does not have every frame of its clip.
    """
    if SEQUENCE.fullmatch(sequence) is None:
        cause = f"{sequence!r} is no sequence of the server, such as arctic_s03_box_grab_01_1"
        raise UsageError("HF-SET-010", cause, "name the run folder as the sequence")
    frames = len(result.frame_index)
    if not np.array_equal(result.frame_index, np.arange(frames)):
        cause = f"the result has {frames} frames up to number {result.frame_index[-1]}, and the server compares frame by frame"
        raise RefusedInput("HF-SET-011", cause, "fit the clip's folder of pictures as HOLD prepares it")
    T = result.T_camera_object
    vertices = result.object_mesh.vertices @ T[:, :3, :3].transpose(0, 2, 1) + T[:, None, :3, 3]
    centre = (vertices.min(1) + vertices.max(1)) / 2
    content: dict[str, Plain] = {
        "fnames": [f"./data/{sequence}/build/image/{frame:04d}.png" for frame in range(frames)],
        "full_seq_name": sequence,
        "v3d_c.object": _half(vertices),
        "root.object": _half(centre),
        "v3d_ra.object": _half(vertices - centre[:, None]),
    }
    faces: dict[str, Plain] = {"object": result.object_mesh.faces.astype(np.int32)}
    sides: tuple[Side, Side] = ("right", "left")
    for side in sides:
        hand = next((hand for hand in result.hands if hand.side == side), None)
        joints, skin, hand_faces = _hand_arrays(hand, frames)
        root = joints[:, 0]
        content |= {f"j3d_c.{side}": _half(joints), f"j3d_ra.{side}": _half(joints - root[:, None]), f"v3d_c.{side}": _half(skin)}
        content |= {f"root.{side}": _half(root), f"v3d_{side}.object": _half(vertices - root[:, None])}
        faces[side] = hand_faces
    return encode_torch_dictionary(content | {"faces": faces}, sequence, READER_CLASS)


def add_to_submission(path: Path, sequence: str, prediction: bytes) -> None:
    """Put a clip's file into the zip at `path`, which is made where it is absent; an earlier file of that clip is replaced."""
    entries = {}
    if path.is_file():
        try:
            with zipfile.ZipFile(path) as archive:
                entries = {name: archive.read(name) for name in archive.namelist()}
        except zipfile.BadZipFile as error:
            raise RefusedInput("HF-SET-012", f"{path.name} is not a zip file ({error})", "name another file with --out") from error
    entries[f"arctic_preds/{sequence}.pt"] = prediction
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(entries.items()):
            archive.writestr(zipfile.ZipInfo(name, ZIP_DATE), content, zipfile.ZIP_DEFLATED)
    write_file(path, stream.getvalue())


def _hand_arrays(hand: HandResult | None, frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joints in MANO's order with the tips last, vertices and faces; NaN for a hand that was not fitted."""
    if hand is None:
        return np.full((frames, 21, 3), np.nan), np.full((frames, MANO_VERTICES, 3), np.nan), np.zeros((0, 3), dtype=np.int32)
    joints = np.zeros_like(hand.joints)
    joints[:, list(KEYPOINT_FROM_JOINT)] = hand.joints
    kept = MANO_VERTICES if hand.actor == "mano" else hand.vertices.shape[1]
    faces = hand.faces[(hand.faces < kept).all(1)]
    return joints, hand.vertices[:, :kept], faces.astype(np.int32)


def _half(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float16)
