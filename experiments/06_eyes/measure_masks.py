"""IoU of masks against hand-drawn ones on nine frames of three clips: no help, one click, one labelled frame, two.

Run: python experiments/06_eyes/measure_masks.py [clip ...] [sheets=FOLDER]. Data: HOIFIELD_TEST_DATA or ../shared/data beside the checkout.
`sheets` keeps every tenth frame with the masks found with no help drawn on it. Masks are those of `find_masks`; `observe` then brings the
hand's to the fitted hand, which is not done here.
"""

import json
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
from hoifield.observations.frame_masks import LEFT_HAND, OBJECT, FrameMasks
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.landmark_networks import LandmarkNetworks
from hoifield.observations.track_hands import choose_hands
from hoifield.observations.track_keypoints import track_keypoints

DATA = Path(os.environ.get("HOIFIELD_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
LABELLED = DATA / "hand-labelled-masks"
CHOICES: tuple[tuple[int, ...] | int, ...] = ((), 0, 1, 2, (1,), (0, 2), (1, 2), (0, 1))
"""Which of a clip's three labelled frames are given, the others are held out; or in which one the deepest point of the object is clicked."""
COLOURS = np.array([[0, 0, 0], [60, 220, 60], [250, 120, 40], [250, 120, 40]], np.uint8)


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


def deepest_point(truth: np.ndarray) -> tuple[float, float]:
    """The point of the object that lies farthest from its outline, as shares of the picture's size."""
    depth = cv2.distanceTransform((truth == OBJECT).astype(np.uint8), cv2.DIST_L2, 5)
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    return (column + 0.5) / truth.shape[1], (row + 0.5) / truth.shape[0]


def hand_overlap(name: str, frame: int, labels: np.ndarray, truth: np.ndarray) -> float | None:
    """Hand IoU inside the box in which the hand was drawn; None in the other frames."""
    for item in json.loads((LABELLED / "index.json").read_text())["items"]:
        if item["clip"] == f"forehoi-{name}" and item["frame"] == frame and item["hand_valid_box_xyxy"] is not None:
            left, top, right, bottom = item["hand_valid_box_xyxy"]
            return overlap(labels[top:bottom, left:right] == LEFT_HAND, truth[top:bottom, left:right] == LEFT_HAND)
    return None


def draw_sheet(path: Path, clip_path: Path, masks: FrameMasks) -> None:
    """Every tenth frame with its masks."""
    size = (masks.labels.shape[2] // 2, masks.labels.shape[1] // 2)
    tiles = []
    for frame, picture in open_clip(clip_path).read_frames(list(range(0, len(masks.labels), 10)), size):
        labels = cv2.resize(masks.labels[frame], size, interpolation=cv2.INTER_NEAREST)
        tile = np.where((labels > 0)[..., None], (0.5 * picture + 0.5 * COLOURS[labels]).astype(np.uint8), picture)
        tiles.append(cv2.putText(np.ascontiguousarray(tile), str(frame), (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 6)
    rows = [np.hstack(tiles[first : first + 6]) for first in range(0, len(tiles), 6)]
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])


def measure(name: str, sheets: Path | None) -> dict[str, list[float]]:
    """Object IoU of the held-out frames by the kind of help; prints a line each."""
    clip_path = DATA / f"forehoi-{name}" / f"{name}.mp4"
    clip, hands = open_clip(clip_path), keypoints_only(clip_path)
    camera = Camera.from_focal(0.95 * max(clip.width, clip.height), clip.width, clip.height)
    labelled = sorted((LABELLED / f"forehoi-{name}").glob("*.png"))
    truths = {int(path.stem): cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in labelled}
    found: dict[str, list[float]] = {}
    for choice in CHOICES:
        start, point = time.perf_counter(), None
        if isinstance(choice, int):
            frame = int(labelled[choice].stem)
            x, y = deepest_point(truths[frame])
            point = (x * clip.width, y * clip.height, frame)
        with tempfile.TemporaryDirectory() as given:
            for index in choice if isinstance(choice, tuple) else ():
                shutil.copy(labelled[index], given)
            masks = find_masks(clip, camera, hands, Path(given) if isinstance(choice, tuple) and choice else None, point, 0)
        seconds = time.perf_counter() - start
        help_given = "click" if isinstance(choice, int) else f"{len(choice)} frames"
        cells = []
        for index, (frame, truth) in enumerate(truths.items()):
            if isinstance(choice, tuple) and index in choice:
                cells.append("  given      ")
                continue
            score, hand = overlap(masks.labels[frame] == OBJECT, truth == OBJECT), hand_overlap(name, frame, masks.labels[frame], truth)
            found.setdefault(help_given, []).append(score)
            if hand is not None:
                found.setdefault(f"{help_given}, hand", []).append(hand)
            cells.append(f"{score:.3f} ({masks.object_confidence[frame]:.2f})" + ("" if hand is None else f" hand {hand:.3f}"))
        print(f"{name:6s} {help_given:9s} IoU (confidence): {'  '.join(cells)}  {seconds:.0f} s", flush=True)
        if choice == () and sheets is not None:
            sheets.mkdir(parents=True, exist_ok=True)
            draw_sheet(sheets / f"masks_{name}.jpg", clip_path, masks)
    return found


def main() -> None:
    sheets = next((Path(argument[7:]) for argument in sys.argv[1:] if argument.startswith("sheets=")), None)
    scores: dict[str, list[float]] = {}
    for name in [argument for argument in sys.argv[1:] if "=" not in argument] or ("wild1", "wild3", "wild5"):
        for kind, values in measure(name, sheets).items():
            scores.setdefault(kind, []).extend(values)
    for kind, values in scores.items():
        print(f"{kind:16s} mean {np.mean(values):.3f}, worst {min(values):.3f} ({len(values)} frames)")


if __name__ == "__main__":
    main()
