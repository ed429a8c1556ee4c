"""The files of a truth folder that are no result: labels, depth, and what the recipe asks for beyond them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from hoifield.errors import CannotCreateOutput
from hoifield.synthetic.clip_recipe import ClipRecipe
from hoifield.synthetic.clip_scene import ClipScene
from hoifield.synthetic.hand_contact import measure_contacts
from hoifield.synthetic.render_clip import RenderedFrame
from hoifield.synthetic.scene_sequence import SceneSequence
from hoifield.synthetic.truth_pictures import draw_normals, draw_whole_outlines

BASIC_FOLDERS, FULL_FOLDERS = ("masks", "depth"), ("masks_amodal", "normals")
INTRINSICS_FILE = "intrinsics.txt"


def prepare_folder(folder: Path, recipe: ClipRecipe) -> None:
    """Make the folders of pictures, and empty them of an earlier clip's. Raises CannotCreateOutput (HF-SYN-005)."""
    names = BASIC_FOLDERS + (FULL_FOLDERS if recipe.truth == "full" else ())
    try:
        for name in BASIC_FOLDERS + FULL_FOLDERS:
            for picture in (folder / name).glob("[0-9]*.png"):
                picture.unlink()
        (folder / INTRINSICS_FILE).unlink(missing_ok=True)
        for name in names:
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotCreateOutput("HF-SYN-005", f"{folder.name} cannot be created: {error.strerror}", "choose another folder") from error


def store_pictures(
    frames: Iterable[RenderedFrame], sequence: SceneSequence, clip_scene: ClipScene, recipe: ClipRecipe, folder: Path
) -> Iterator[UInt8[np.ndarray, "size size 3"]]:
    """Pass the pictures on while labels and depth, with full truth also whole outlines and normals, are written.

    After the last one `truth.npz` holds `vertex_seen` (which vertices of object.ply any frame shows) and, with full truth, per hand side S
    `S_contact` (frame, vertex) and `S_penetration` (frame,), as `measure_contacts` gives them.
    """
    parts = clip_scene.parts
    seen = np.zeros(len(parts.object_mesh.vertices), dtype=bool)
    for number, frame in enumerate(frames):
        millimetres = np.where(np.isfinite(frame.depth), np.round(1000 * frame.depth), 0).astype(np.uint16)
        pictures = {"masks": frame.labels, "depth": millimetres}
        if recipe.truth == "full":
            arrangement, T = sequence.arrangement(frame.moment), frame.moment.T_camera_hand
            vertices = arrangement.mesh.vertices @ T[:3, :3].T + T[:3, 3]
            pictures["masks_amodal"] = draw_whole_outlines(parts, vertices, clip_scene.K, recipe.size, recipe.side)
            pictures["normals"] = draw_normals(parts, vertices, clip_scene.K, recipe.size)[..., ::-1]
        for name, picture in pictures.items():
            cv2.imwrite(str(folder / name / f"{number:06d}.png"), picture)
        seen |= frame.object_seen
        yield frame.picture
    arrays: dict[str, np.ndarray] = {"vertex_seen": seen}
    if recipe.truth == "full":
        for side, contact in measure_contacts(parts, clip_scene.motion).items():
            arrays |= {f"{side}_contact": contact.contact, f"{side}_penetration": contact.penetration}
    np.savez_compressed(folder / "truth.npz", allow_pickle=False, **arrays)


def stated_intrinsics(K: Float[np.ndarray, "3 3"], factor: float) -> str:
    """The line of intrinsics.txt: fx, fy, cx, cy in pixels with a focal length off by a factor, as `--intrinsics` reads them."""
    return f"{factor * K[0, 0]:.6f},{factor * K[1, 1]:.6f},{K[0, 2]:g},{K[1, 2]:g}\n"
