"""Masks carried over the clip by SAM 2 (Ravi et al. 2024), with weights that the user has. The only file that imports sam2."""

import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_never

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8

from hoifield.clip.clip import Clip
from hoifield.errors import MissingDependency, MissingInput, RefusedInput, UsageError
from hoifield.observations.frame_masks import LEFT_HAND, NOT_OBJECT, OBJECT, RIGHT_HAND, UNLABELLED, FrameMasks, MaskSource
from hoifield.observations.hand_region import HandRegion, hand_regions
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.mask_confidence import confidence_of, expected_overlap
from hoifield.observations.point_seed import require_point_in_clip
from hoifield.observations.read_given_masks import read_given_masks
from hoifield.observations.sam2_prompts import MaskPrompt, PointPrompt, Prompt, choose_prompts
from hoifield.observations.working_frames import WorkingFrames

_SHOWN_SIDE = 1024
"""Longest side of the pictures SAM 2 is shown; its networks see squares of this side."""
_SIZES = {"tiny": "t", "small": "s", "base_plus": "b+", "large": "l"}
_RELEASED_NAME = re.compile(r"(sam2(?:\.1)?)_hiera_(tiny|small|base_plus|large)\.pt")
_HAND_REACH = 0.2
"""Hand lengths beyond the keypoints' hull: what SAM 2 takes for the hand farther out is forearm or sleeve."""

Scores = dict[int, Float32[np.ndarray, "height width"]]
"""By label: above 0 inside, in the logits of SAM 2."""


def propagate_with_sam2(
    clip: Clip,
    hands: tuple[HandTrack, ...],
    given_masks: Path | None,
    object_point: tuple[float, float, int] | None,
    weights: Path,
) -> FrameMasks:
    """Masks of every frame at the working size, as `find_masks` gives them, found by SAM 2 from the user's labels or point and the hands.

    What the user labelled stays as it is; in between, each pixel has the label of the highest score above 0. A frame's confidence is the
    IoU to expect of its mask by these scores, 0.95 at most. Needs about 13 MB a frame for SAM 2's pictures. Runs on a GPU where torch
    sees one. Errors: those of `require_sam2`, HF-MSK-001 to -008.
    """
    require_sam2(weights, given_masks is not None or object_point is not None)
    frames = WorkingFrames(clip)
    size = (frames.width, frames.height)
    given = {} if given_masks is None else read_given_masks(given_masks, clip.frame_count, (clip.width, clip.height), size)
    if not given and object_point is not None:
        require_point_in_clip(clip, object_point)
    regions = hand_regions(hands, frames.scale)
    prompts = choose_prompts(given, object_point, hands, frames.scale)
    labels = np.zeros((clip.frame_count, frames.height, frames.width), np.uint8)
    overlap = np.zeros((2, clip.frame_count))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.inference_mode(), torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
        for frame, found in _propagate(clip, prompts, _load_predictor(weights, device), size):
            scores = _restrict(found, regions[frame] if regions else (), given.get(frame), size)
            best = scores.argmax(0).astype(np.uint8)
            labels[frame] = np.where(given[frame] <= LEFT_HAND, given[frame], best) if frame in given else best
            overlap[0, frame] = _overlap(scores[OBJECT], labels[frame] == OBJECT)
            overlap[1, frame] = _overlap(scores[RIGHT_HAND:].max(0), labels[frame] >= RIGHT_HAND)
    covered = np.array([frame in given and float((given[frame] == UNLABELLED).mean()) < 0.05 for frame in range(clip.frame_count)])
    sources: tuple[MaskSource, ...] = tuple("given" if known else "carried" for known in covered)
    return FrameMasks(
        labels=labels,
        object_confidence=np.where(covered, (labels == OBJECT).any((1, 2)).astype(float), confidence_of(overlap[0], "masks")),
        hand_confidence=confidence_of(overlap[1], "masks"),
        source=sources,
    )


def require_sam2(weights: Path, object_is_named: bool) -> None:
    """Raises unless `weights` is a released SAM 2 checkpoint by name and kind, `sam2` can be imported and something names the object.

    UsageError HF-MSK-013, MissingInput HF-MSK-010, RefusedInput HF-MSK-011, MissingDependency HF-MSK-012.
    """
    if not object_is_named:
        raise UsageError("HF-MSK-013", "SAM 2 is not told what the object is", "label it in one frame with --masks, or name a pixel with --object-point")
    if not weights.is_file():
        raise MissingInput("HF-MSK-010", f"there is no weights file {str(weights)!r}", "name a checkpoint of SAM 2, for example sam2.1_hiera_small.pt")
    _config_of(weights)
    if not zipfile.is_zipfile(weights):
        raise RefusedInput("HF-MSK-011", f"{weights.name} ({weights.stat().st_size} bytes) is no checkpoint of torch", "fetch it again: the file is cut off")
    try:
        import sam2.build_sam  # noqa: F401
    except (ImportError, RuntimeError) as error:
        cause = f"sam2 cannot be imported ({_first_line(error)})"
        raise MissingDependency("HF-MSK-012", cause, "pip install 'hoifield[sam2]', or leave --sam2-weights out") from error


def _config_of(weights: Path) -> str:
    """The configuration inside the package sam2 that belongs to a released checkpoint's file name."""
    found = _RELEASED_NAME.fullmatch(weights.name)
    if found is None:
        raise RefusedInput(
            "HF-MSK-011",
            f"the name {weights.name!r} does not say which size of SAM 2 it holds",
            "keep the released name: sam2_hiera_X.pt or sam2.1_hiera_X.pt with X of tiny, small, base_plus, large",
        )
    return f"configs/{found[1]}/{found[1]}_hiera_{_SIZES[found[2]]}.yaml"


def _load_predictor(weights: Path, device: str) -> Any:
    from sam2.build_sam import build_sam2_video_predictor

    try:
        return build_sam2_video_predictor(_config_of(weights), str(weights), device=device)
    except Exception as error:
        cause = f"sam2 does not load {weights.name} ({type(error).__name__}: {_first_line(error)})"
        raise RefusedInput("HF-MSK-011", cause, "fetch it again, and keep the released name: it says which size the file holds") from error


def _propagate(clip: Clip, prompts: tuple[Prompt, ...], predictor: Any, size: tuple[int, int]) -> Iterator[tuple[int, Scores]]:
    """Scores of every frame at `size` = (width, height): from the first prompted frame to the end, then back to the beginning."""
    with tempfile.TemporaryDirectory() as folder:
        scale = _write_pictures(clip, Path(folder))
        state = predictor.init_state(video_path=folder, offload_video_to_cpu=True)
        for prompt in prompts:
            match prompt:
                case MaskPrompt():
                    predictor.add_new_mask(state, prompt.frame, prompt.label, prompt.mask)
                case PointPrompt():
                    points, on_it = (prompt.points * scale).astype(np.float32), prompt.on_it.astype(np.int32)
                    predictor.add_new_points_or_box(state, prompt.frame, prompt.label, points=points, labels=on_it)
                case _:
                    assert_never(prompt)
        for backwards in (False, True):
            for frame, found, logits in predictor.propagate_in_video(state, reverse=backwards):
                pictures = logits[:, 0].float().cpu().numpy()
                yield frame, {label: cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for label, picture in zip(found, pictures, strict=True)}


def _write_pictures(clip: Clip, folder: Path) -> float:
    """The clip as %06d.jpg for SAM 2, which reads nothing else; gives their pixels per pixel of the clip."""
    shown = WorkingFrames(clip, _SHOWN_SIDE)
    for frame, picture in clip.read_frames(None, (shown.width, shown.height)):
        cv2.imwrite(str(folder / f"{frame:06d}.jpg"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, 95))
    return shown.scale


def _restrict(
    found: Scores, regions: tuple[HandRegion, ...], given: UInt8[np.ndarray, "height width"] | None, size: tuple[int, int]
) -> Float32[np.ndarray, "label=4 height width"]:
    """Scores of the labels 0 to 3 (background: 0), -inf for hands far from their keypoints and for the object where the user says no."""
    width, height = size
    scores = np.zeros((LEFT_HAND + 1, height, width), np.float32)
    scores[OBJECT:] = -np.inf
    for label, score in found.items():
        scores[label] = score
    for region in regions:
        side = RIGHT_HAND if region.side == "right" else LEFT_HAND
        scores[side][region.signed_distance(0, 0, width, height) > _HAND_REACH] = -np.inf
    if given is not None:
        scores[OBJECT][given == NOT_OBJECT] = -np.inf
    return scores


def _overlap(score: Float32[np.ndarray, "height width"], mask: Bool[np.ndarray, "height width"]) -> float:
    """IoU to expect of a mask; the logits are halved because `expected_overlap` squares the odds."""
    return expected_overlap(1.0 / (1.0 + np.exp(-np.clip(score, -40.0, 40.0) / 2.0)), mask)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["no message"])[0]
