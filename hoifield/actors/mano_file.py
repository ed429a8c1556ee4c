"""MANO (Romero et al. 2017) from the user's own file, under the contract of every hand model."""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Float

from hoifield import plain_pickle
from hoifield.actors.assemble_model import RightHand, build_model
from hoifield.actors.mesh_boundary import boundary_loop, cap_faces
from hoifield.actors.right_hand_cache import cached_right_hand
from hoifield.actors.skinned_model import JOINT_PARENTS, Side, SkinnedModel
from hoifield.errors import MissingInput, RefusedInput
from hoifield.geometry.mesh import Mesh, signed_volume
from hoifield.storage import sha256_of

FOLDER_VARIABLE = "HOIFIELD_MANO_DIR"
FINGERTIPS = (745, 317, 444, 556, 673)
"""Thumb, index, middle, ring, little."""
CHILD_SECONDS = 60
NEEDED_ARRAYS = ("v_template", "f", "shapedirs", "posedirs", "weights", "J_regressor", "kintree_table")
SHAPES: dict[str, tuple[int, ...]] = {
    "v_template": (778, 3),
    "f": (1538, 3),
    "shapedirs": (778, 3, 10),
    "posedirs": (778, 3, 135),
    "weights": (778, 16),
    "J_regressor": (16, 778),
    "kintree_table": (2, 16),
}
REMEDY = "use MANO_RIGHT.pkl or MANO_LEFT.pkl as released on mano.is.tue.mpg.de"

Arrays = dict[str, np.ndarray]


def find_mano(side: Side) -> Path | None:
    """The MANO file for a side in the folder HOIFIELD_MANO_DIR (or its `models`), that of the other side where only that exists."""
    named = os.environ.get(FOLDER_VARIABLE)
    if not named:
        return None
    for hand in (side, "left" if side == "right" else "right"):
        for folder in (Path(named), Path(named) / "models"):
            for suffix in ("pkl", "npz"):
                path = folder / f"MANO_{hand.upper()}.{suffix}"
                if path.is_file():
                    return path
    return None


def load_mano(path: Path, side: Side) -> SkinnedModel:
    """MANO's hand (779 vertices, 1554 faces, pose correctives), flat at rest, closed at the wrist.

    Reads the released .pkl (in a child process that executes nothing from it) or an .npz with the same arrays. A file of the other
    side is mirrored. Raises MissingInput (HF-ACT-004) for no file, RefusedInput (HF-ACT-005, -006) for a file that is not MANO.
    """
    if not path.is_file():
        raise MissingInput("HF-ACT-004", f"no MANO file at {path}", f"download MANO, then set {FOLDER_VARIABLE} to its models folder")
    hand = cached_right_hand(f"mano-{sha256_of(path)[:32]}", (sys.modules[__name__], plain_pickle), lambda: convert_mano(read_mano_arrays(path)))
    return build_model("mano", side, hand)


def convert_mano(arrays: Arrays) -> RightHand:
    """A right hand from MANO's arrays; those of a left hand are mirrored. Raises RefusedInput (HF-ACT-006) where they are not MANO's."""
    _check(arrays)
    vertices, shapes, poses = (arrays[name].astype(np.float64) for name in ("v_template", "shapedirs", "posedirs"))
    faces, weights = arrays["f"].astype(np.int64), arrays["weights"].astype(np.float64)
    regressor = arrays["J_regressor"].astype(np.float64)
    joints = regressor @ vertices
    if joints[[1, 4, 7, 10], 0].mean() > joints[0, 0]:
        mirror = np.array([-1.0, 1.0, 1.0])
        vertices, shapes, faces = vertices * mirror, shapes * mirror[:, None], faces[:, ::-1]
        poses = poses * mirror[:, None] * np.tile(np.outer(mirror, mirror).ravel(), 15)
    loop = boundary_loop(faces)
    faces = np.concatenate([faces, cap_faces(loop, len(vertices))])
    joints, joint_shapes = regressor @ vertices, np.einsum("jv,vak->jak", regressor, shapes)
    vertices, shapes = vertices - joints[0], shapes - joint_shapes[0]
    vertices, shapes, poses = (np.concatenate([part, part[loop].mean(0, keepdims=True)]) for part in (vertices, shapes, poses))
    if signed_volume(Mesh(vertices, faces)) <= 0:
        raise RefusedInput("HF-ACT-006", "the faces of the MANO file point inwards", REMEDY)
    return RightHand(
        template=vertices,
        shape_directions=shapes,
        joint_template=joints - joints[0],
        joint_directions=joint_shapes - joint_shapes[0],
        weights=np.concatenate([weights, np.eye(16)[:1]]),
        faces=faces,
        fingertip_vertices=np.array(FINGERTIPS),
        pose_directions=poses,
    )


def _check(arrays: Arrays) -> None:
    """Shapes, finiteness, face indices, joint tree, weights and size."""
    wrong = {name: arrays[name].shape for name, shape in SHAPES.items() if name not in arrays or arrays[name].shape != shape}
    problem = ""
    if wrong:
        problem = f"arrays of other shapes: {wrong}"
    elif any(array.dtype.kind not in "fiu" or not np.isfinite(array).all() for array in arrays.values()):
        problem = "entries that are not finite numbers"
    elif arrays["f"].min() < 0 or arrays["f"].max() >= len(arrays["v_template"]):
        problem = "faces out of range"
    elif tuple(arrays["kintree_table"][0, 1:].tolist()) != JOINT_PARENTS[1:]:
        problem = "another joint tree"
    elif not _rows_are_means(arrays["weights"]) or not _rows_are_means(arrays["J_regressor"]):
        problem = "weights that do not sum to 1"
    elif not 0.05 < np.ptp(arrays["v_template"], axis=0).max() < 0.5:
        problem = "a hand of another size than metres"
    if problem:
        raise RefusedInput("HF-ACT-006", f"the MANO file holds {problem}", REMEDY)


def _rows_are_means(matrix: Float[np.ndarray, "row column"]) -> bool:
    return bool(np.abs(matrix.sum(1) - 1.0).max() < 1e-2)


def read_mano_arrays(path: Path, names: tuple[str, ...] = NEEDED_ARRAYS) -> Arrays:
    """The named arrays out of a .pkl or .npz file; a name that ends in "?" may be absent. Raises RefusedInput (HF-ACT-005)."""
    if path.suffix == ".npz":
        return _read_npz(path, names)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "arrays.npz"
        command = [sys.executable, "-I", str(plain_pickle.__file__), str(path.resolve()), str(target), *names]
        try:
            child = subprocess.run(
                command, env={"OPENBLAS_NUM_THREADS": "1"}, cwd=folder, capture_output=True, timeout=CHILD_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise RefusedInput("HF-ACT-005", f"{path.name} was not read within {CHILD_SECONDS} s", REMEDY) from error
        if child.returncode == plain_pickle.REFUSED_STATUS:
            raise RefusedInput("HF-ACT-005", f"{path.name} holds {child.stderr.decode(errors='replace')}", REMEDY)
        if child.returncode != 0:
            raise RefusedInput("HF-ACT-005", f"reading {path.name} ended with status {child.returncode}", REMEDY)
        return _read_npz(target, names)


def _read_npz(path: Path, names: tuple[str, ...]) -> Arrays:
    """The named arrays of an .npz file, without pickles, and not larger than a MANO file can be."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > plain_pickle.LARGEST_FILE:
            raise RefusedInput("HF-ACT-005", f"{path.name} unpacks to {size / 2**20:.0f} MB", REMEDY)
        with np.load(path, allow_pickle=False) as arrays:
            wanted = [name.rstrip("?") for name in names if not name.endswith("?") or name.rstrip("?") in arrays]
            return {name: arrays[name] for name in wanted}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RefusedInput("HF-ACT-005", f"{path.name} is not an archive of MANO's arrays ({error})", REMEDY) from error
