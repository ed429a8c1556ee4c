"""IoU of masks against hand-drawn ones on nine frames of three clips: two labelled frames carried on, one, none.

Run: python experiments/01_main_job/measure_masks.py [clip ...]. Data: HOIFIELD_TEST_DATA or ../shared/data beside the checkout.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from hoifield.clip.open_clip import open_clip
from hoifield.geometry.cameras import Camera
from hoifield.observations.find_masks import find_masks
from hoifield.observations.frame_masks import OBJECT
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.landmark_networks import LandmarkNetworks
from hoifield.observations.track_hands import choose_hands
from hoifield.observations.track_keypoints import track_keypoints

DATA = Path(os.environ.get("HOIFIELD_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
CHOICES: tuple[tuple[int, ...], ...] = ((0, 2), (1, 2), (0, 1), (1,), ())
"""Which of a clip's three labelled frames are given; the others are held out."""


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / max((first | second).sum(), 1))


def keypoints_only(clip_path: Path) -> tuple[HandTrack, ...]:
    """Hand tracks with keypoints and no fitted poses: masks need no more."""
    kept, _ = choose_hands(track_keypoints(open_clip(clip_path), LandmarkNetworks.load()), "auto")
    tracks = []
    for track in kept:
        count = len(track.observed)
        poses, zeros = np.full((count, 4, 4), np.nan), np.zeros
        tracks.append(
            HandTrack(
                track.side,
                "anny",
                track.observed,
                track.keypoints,
                zeros(count),
                track.presence,
                poses,
                zeros((count, 16, 3)),
                zeros(10),
                zeros((21, 3)),
            )
        )
    return tuple(tracks)


def measure(name: str) -> None:
    folder = DATA / f"forehoi-{name}"
    clip = open_clip(folder / f"{name}.mp4")
    camera = Camera.from_focal(0.95 * max(clip.width, clip.height), clip.width, clip.height)
    hands = keypoints_only(folder / f"{name}.mp4")
    labelled = sorted((DATA / "hand-labelled-masks" / f"forehoi-{name}").glob("*.png"))
    for choice in CHOICES:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as given:
            for index in choice:
                shutil.copy(labelled[index], given)
            masks = find_masks(clip, camera, hands, Path(given) if choice else None, None, 0)
        seconds = time.perf_counter() - start
        cells = []
        for index, path in enumerate(labelled):
            frame, truth = int(path.stem), cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            score = overlap(masks.labels[frame] == OBJECT, truth == OBJECT)
            cells.append("  given      " if index in choice else f"{score:.3f} ({masks.object_confidence[frame]:.2f})")
        given_frames = "+".join(labelled[index].stem.lstrip("0") for index in choice) or "none"
        print(f"{name:6s} given {given_frames:8s} IoU (confidence): {'  '.join(cells)}  {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    for clip_name in sys.argv[1:] or ("wild1", "wild3", "wild5"):
        measure(clip_name)
