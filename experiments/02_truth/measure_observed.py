"""What `observe` made of generated clips, before any fit: masks, hand, object poses and hull beside the truth. One line a clip.

    python experiments/02_truth/measure_observed.py OUT [--true-masks] TRUTH [TRUTH ...]

Each TRUTH is a folder of `hoifield synth` (in a benchmark's folder: clips/NAME/truth). Observations are kept in OUT/NAME and taken from
there when the command is repeated. Video only: the truth is read when they are finished; with `--true-masks` its masks are given.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch

from hoifield.actors.choose_actor import load_actor
from hoifield.clip.open_clip import open_clip
from hoifield.datasets.read_truth import read_truth
from hoifield.datasets.truth import Truth
from hoifield.evaluation.hand_scores import score_hands
from hoifield.evaluation.matched_frames import match_frames
from hoifield.evaluation.motion_scores import score_motion
from hoifield.evaluation.scorecard import Scorecard
from hoifield.evaluation.shape_scores import score_shape
from hoifield.observations.frame_masks import LEFT_HAND, OBJECT, RIGHT_HAND
from hoifield.observations.hand_locked_poses import view_span
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.observations import Observations
from hoifield.observations.observations_folder import load_observations, save_observations
from hoifield.pipelines.observe import ObserveConfig, observe_clip
from hoifield.result.fit_result import FitResult, HandResult

SHOWN = ("f10_icp_pct", "cd_icp_cm2", "pose_rot_deg", "pose_trans_mm", "mpjpe_ra_mm", "root_trans_mm", "cd_hand_cm2")


def observed_hand(hand: HandTrack) -> HandResult:
    """The observed hand posed in every frame."""
    model = load_actor("mano" if hand.actor == "mano" else "anny", hand.side)
    known = hand.observed & np.isfinite(hand.T_camera_hand).all((1, 2))
    vertices = np.full((len(known), len(model.template), 3), np.nan, np.float32)
    joints = np.full((len(known), 21, 3), np.nan, np.float32)
    with torch.no_grad():
        rows = (torch.tensor(values[known], dtype=torch.float32) for values in (hand.pose, hand.T_camera_hand))
        posed = model.pose(torch.tensor(hand.shape, dtype=torch.float32), *rows)
    vertices[known], joints[known] = posed.vertices.numpy(), posed.keypoints.numpy()
    return HandResult(hand.side, model.name, hand.T_camera_hand, hand.pose, hand.shape, vertices, joints, model.faces.numpy(), known.astype(float))


def observed_result(observations: Observations, truth: FitResult) -> FitResult | None:
    """Hull, poses and hands as if they were the answer; None without an object."""
    track = observations.object_track
    if track is None:
        return None
    frames = len(track.T_camera_object)
    K = np.repeat(observations.camera.K[None], frames, 0)
    hands = tuple(observed_hand(hand) for hand in observations.hands)
    return FitResult(np.arange(frames), np.arange(frames) / 30, truth.image_size, K, track.hull, track.T_camera_object, track.confidence, hands)


def mask_overlaps(observations: Observations, truth: Truth) -> tuple[float, float]:
    """Median IoU of object and hands over the frames that show them."""
    assert truth.read_labels is not None
    found: dict[str, list[float]] = {"object": [], "hand": []}
    height, width = observations.masks.labels.shape[1:]
    for frame in truth.result.frame_index:
        true = truth.read_labels(int(frame))
        if true is None:
            continue
        rows = np.arange(height) * true.shape[0] // height
        true = true[rows][:, np.arange(width) * true.shape[1] // width]
        seen = observations.masks.labels[frame]
        for name, labels in (("object", (OBJECT,)), ("hand", (RIGHT_HAND, LEFT_HAND))):
            ours, theirs = np.isin(seen, labels), np.isin(true, labels)
            if theirs.any():
                found[name].append(float((ours & theirs).sum() / (ours | theirs).sum()))
    return float(np.median(found["object"])), float(np.median(found["hand"]))


def describe(observations: Observations, truth_path: Path) -> str:
    """The line of one clip."""
    truth = read_truth(truth_path)
    masks = mask_overlaps(observations, truth)
    focal = observations.camera.focal / truth.result.K[0, 0, 0]
    result = observed_result(observations, truth.result)
    if result is None:
        return f"masks {masks[0]:.2f} {masks[1]:.2f}  no object"
    matched, generator = match_frames(result, truth.result), np.random.default_rng(0)
    scores = score_shape(matched, truth.vertex_seen, generator, 0) + score_motion(matched) + score_hands(matched, generator, 0)
    values = Scorecard(tuple(scores)).measured()
    track = observations.object_track
    assert track is not None
    placed = [source for source in track.source if source != "none"]
    spans = (view_span(track.T_camera_object), view_span(truth.result.T_camera_object))
    figures = "".join(f"{values.get(name, np.nan):9.2f}" for name in SHOWN)
    return (
        f"{masks[0]:5.2f}{masks[1]:5.2f}{focal:6.2f}{placed.count('motion') / max(len(placed), 1):6.2f}{spans[0]:5.0f}{spans[1]:5.0f}"
        f"{np.nanmedian(track.silhouette_iou):6.2f}{figures}  {' '.join(reason.code for reason in observations.readiness.reasons)}"
    )


def main() -> None:
    """One line a clip."""
    given = "--true-masks" in sys.argv
    out, *truths = (Path(argument) for argument in sys.argv[1:] if argument != "--true-masks")
    sys.stdout.write(f"{'clip':26s}{'obj':>5s}{'hand':>5s}{'focal':>6s}{'sfm':>6s}{'span':>5s}{'true':>5s}{'agree':>6s}")
    sys.stdout.write("".join(f"{name.rsplit('_', 1)[0]:>9s}" for name in SHOWN) + "\n")
    for path in truths:
        name = path.parent.name if path.name == "truth" else path.name
        started = time.process_time()
        if not (out / name / "DONE").exists():
            clip, config = open_clip(path / "clip.mp4"), ObserveConfig(masks=path / "masks" if given else None)
            with (out / f"{name}.log").open("w", encoding="utf-8") as log:
                observations = observe_clip(clip, config, 72, lambda line: print(line, file=log, flush=True))
            save_observations(observations, out / name)
            (out / name / "DONE").touch()
        sys.stdout.write(f"{name:26s}{describe(load_observations(out / name), path)}  {time.process_time() - started:.0f} s\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
