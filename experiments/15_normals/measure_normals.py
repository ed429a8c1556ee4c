"""How far the normals that the network sees are from the truth, by what it expects; and a sheet of what it sees.

    python experiments/15_normals/measure_normals.py SHEETS OBSERVED ... [weights=FILE]

OBSERVED is a clip folder of `hoifield benchmark accuracy` (with truth and a fit), or CLIP:RUN, a clip and the run folder of a fit of it, of which
no truth is known. A line for each: median and mean error in degrees over the pixels of the object, of the twelfth of the frames that are looked
at, and the median error of four classes of pixels by what is expected of them. SHEETS/NAME.jpg: pictures above normals (above the true ones).
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import torch

from hoifield.clip.open_clip import open_clip
from hoifield.datasets.read_truth import read_truth
from hoifield.geometry.mesh import vertex_normals
from hoifield.geometry.rasterise import rasterise_mesh
from hoifield.observations.frame_masks import LEFT_HAND, OBJECT, RIGHT_HAND
from hoifield.observations.hand_region import hand_regions
from hoifield.observations.observations_folder import load_observations
from hoifield.observations.see_normals import see_normals
from hoifield.observations.track_object import holding_hand
from hoifield.priors.normals_weights import load_normals, read_normals

FRAMES = 12
CLASSES = (0, 10, 15, 20, 30, 180)


def painted(normal, where):
    """Normals as colours."""
    return np.where(where[..., None], np.round(127 * normal * [1, 1, -1] + 128), 0).astype(np.uint8)[..., ::-1]


def true_normals(truth, frame, K, width, height):
    """Normals of the true object, camera frame, and its depth."""
    mesh = truth.object_mesh.moved(truth.T_camera_object[frame])
    depth, face, barycentric = rasterise_mesh(mesh.vertices, mesh.faces, K, width, height)
    blended = np.einsum("yxc,yxck->yxk", barycentric, vertex_normals(mesh)[mesh.faces[face]])
    return blended / np.maximum(np.linalg.norm(blended, axis=-1, keepdims=True), 1e-9), face >= 0


def measure(network, name: str, clip_file: Path, run: Path, truth_folder: Path | None, sheets: Path) -> None:
    """One clip."""
    clip, found = open_clip(clip_file), load_observations(sorted((run / "stages" / "observe").glob("*"))[-1])
    truth = None if truth_folder is None else read_truth(truth_folder).result
    height, width = found.masks.labels.shape[1:]
    hand = holding_hand(found.hands, found.masks)
    regions = hand_regions((hand,), width / clip.width)
    camera = found.camera.resized(width, height)
    frames = np.flatnonzero((found.masks.labels == OBJECT).any((1, 2)))
    frames = frames[np.unique(np.linspace(0, len(frames) - 1, FRAMES).round().astype(int))]
    columns, errors, expected = [], [], []
    for frame, picture in clip.read_frames(frames.tolist(), (width, height)):
        held, own = found.masks.labels[frame] == OBJECT, found.masks.labels[frame] == (RIGHT_HAND if hand.side == "right" else LEFT_HAND)
        seen = see_normals(network, picture, held, own, regions[frame][0], camera.K)
        told = seen.off < np.pi
        tiles = [picture[..., ::-1], painted(seen.normal, told)]
        if truth is not None:
            K = truth.K[frame] * np.array([[width / clip.width], [height / clip.height], [1.0]])
            true, there = true_normals(truth, frame, K, width, height)
            both = told & there & held
            errors.append(np.degrees(np.arccos(np.clip((true * seen.normal).sum(-1)[both], -1, 1))))
            expected.append(np.degrees(seen.off[both]))
            tiles.append(painted(true, there & held))
        columns.append(np.vstack(tiles))
    cv2.imwrite(str(sheets / f"{name}.jpg"), np.hstack(columns))
    if truth is None:
        return
    off, stated = np.concatenate(errors), np.concatenate(expected)
    parts = [(low, high, (stated >= low) & (stated < high)) for low, high in zip(CLASSES, CLASSES[1:], strict=False)]
    words = ", ".join(f"{low} to {high}: {off[part].mean():.1f} ({100 * part.mean():.0f} %)" for low, high, part in parts if part.any())
    print(f"{name}: median {np.median(off):.1f}, mean {off.mean():.1f}; mean by what was expected: {words}", flush=True)


def main() -> None:
    weights = [word.removeprefix("weights=") for word in sys.argv[2:] if word.startswith("weights=")]
    network = read_normals(Path(weights[0])) if weights else load_normals()
    sheets = Path(sys.argv[1])
    sheets.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for word in sys.argv[2:]:
        if word.startswith("weights="):
            continue
        if ":" in word:
            clip, run = (Path(part) for part in word.split(":"))
            measure(network, clip.stem, clip, run, None, sheets)
        else:
            measure(network, Path(word).name, Path(word) / "truth" / "clip.mp4", Path(word) / "fit", Path(word) / "truth", sheets)


if __name__ == "__main__":
    main()
