"""The main job on generated and real clips: runs what is not yet there, then prints one row per run and draws a sheet of it (OUT/JOB.jpg).

    python experiments/01_main_job/run.py OUT [JOB ...]

Jobs: generated_video_{mug,bottle,box}, generated_given_{...} (masks and intrinsics of the truth given), real_given_{1,3,5} (two of the
three hand-labelled frames given), real_video_{1,3,5}, bare_hand, two_hands. The real clips lie in HOIFIELD_TEST_DATA, or in
../shared/data beside the checkout.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from hoifield.clip.open_clip import open_clip
from hoifield.observations.observations_folder import load_observations
from hoifield.report.turntable import render_turntable
from hoifield.result.measure_quality import measure_keypoints
from hoifield.result.result_folder import read_result

DATA = Path(os.environ.get("HOIFIELD_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
OBJECTS = {"mug": "right", "bottle": "left", "box": "right"}
GIVEN_FRAMES = {"1": (24, 160), "3": (26, 175), "5": (20, 120)}
HELD_OUT_FRAME = {"1": 96, "3": 133, "5": 60}
JOBS = (
    *(f"generated_video_{name}" for name in OBJECTS),
    *(f"generated_given_{name}" for name in OBJECTS),
    *(f"real_given_{name}" for name in GIVEN_FRAMES),
    *(f"real_video_{name}" for name in GIVEN_FRAMES),
    "bare_hand",
    "two_hands",
)
SCORES = ("f10_icp_pct", "cd_icp_cm2", "mpjpe_ra_mm", "cd_hand_cm2", "pose_rot_deg")


def call(*words: str) -> int:
    """Runs a hoifield command; gives its exit code."""
    return subprocess.run([sys.executable, "-m", "hoifield", *words], check=False).returncode


def prepare(job: str, out: Path) -> tuple[Path, list[str]]:
    """The clip of a job, made where it is generated, and the options beside it."""
    kind, _, name = job.rpartition("_")
    match kind:
        case "generated_video" | "generated_given":
            truth = out / "clips" / name
            if not (truth / "truth.json").exists():
                call("synth", str(truth), "--object", name, "--hand", OBJECTS[name], "--seed", "0")
            K = read_result(truth).K[0]
            given = ["--masks", str(truth / "masks"), "--intrinsics", ",".join(map(str, (K[0, 0], K[1, 1], K[0, 2], K[1, 2])))]
            return truth / "clip.mp4", given if kind == "generated_given" else []
        case "real_given":
            folder = out / "masks" / name
            folder.mkdir(parents=True, exist_ok=True)
            for frame in GIVEN_FRAMES[name]:
                shutil.copy(DATA / "hand-labelled-masks" / f"forehoi-wild{name}" / f"{frame:06d}.png", folder)
            return DATA / f"forehoi-wild{name}" / f"wild{name}.mp4", ["--masks", str(folder)]
        case "real_video":
            return DATA / f"forehoi-wild{name}" / f"wild{name}.mp4", []
        case "bare":
            return DATA / "dexret-humanhand" / "human_hand_video.mp4", []
        case _:
            return next((DATA / "v2d-chord-human").glob("*.mp4")), []


def held_out_iou(job: str, run: Path) -> float:
    """IoU of the object mask on the labelled frame that was not given; NaN for other jobs."""
    name = job.rpartition("_")[2]
    if not job.startswith("real"):
        return float("nan")
    frame = HELD_OUT_FRAME[name]
    truth = cv2.imread(str(DATA / "hand-labelled-masks" / f"forehoi-wild{name}" / f"{frame:06d}.png"), cv2.IMREAD_UNCHANGED)
    labels = load_observations(sorted((run / "stages" / "observe").iterdir())[-1]).masks.labels[frame]
    labels = cv2.resize(labels, truth.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return float(((labels == 1) & (truth == 1)).sum() / ((labels == 1) | (truth == 1)).sum())


def describe(job: str, out: Path, clip: Path) -> str:
    """One row of figures of a finished run."""
    run = out / job
    summary = json.loads((run / "result" / "result.json").read_text())
    words = [f"{job:24s} {summary['status']:9s} total {summary['seconds']['total']:5.0f} s"]
    if summary["status"] == "refused":
        return " ".join([*words, *(reason["code"] for reason in summary["reasons"])])
    quality = summary["quality"]
    words.append(f"IoU object {quality['mask_iou_object']:.2f} hand {quality['mask_iou_hand']:.2f} contact {quality['contact_fraction']:.2f}")
    words.append(f"penetration {quality['penetration_mean_mm']:.1f} mm")
    observations = load_observations(sorted((run / "stages" / "observe").iterdir())[-1])
    track = observations.hands[0]
    off = np.nanmean(track.keypoint_error), np.nanmean(measure_keypoints(read_result(run / "result"), track))
    words.append(f"keypoints {off[0]:.1%} of the box before the fit, {off[1]:.1%} after")
    if job.startswith("real"):
        words.append(f"held-out mask IoU {held_out_iou(job, run):.2f}")
    if job.startswith("generated"):
        scores = out / f"{job}.json"
        call("evaluate", str(run), "--truth", str(clip.parent), "--json", str(scores))
        values = json.loads(scores.read_text())["scores"]
        words += [f"{name} {values[name]['value']:.3g}" for name in SCORES]
    return " ".join([*words, *(reason["code"] for reason in summary["reasons"])])


def draw_sheet(job: str, out: Path) -> None:
    """The mesh from all sides, coloured and as clay, and four frames beside their overlays."""
    result = out / job / "result"
    if not (result / "overlay.mp4").exists():
        return
    mesh = read_result(result).object_mesh
    rows = [render_turntable(mesh), render_turntable(mesh, clay=True)]
    video = open_clip(result / "overlay.mp4")
    frames = np.linspace(0, video.frame_count - 1, 6).round().astype(int)[1:5]
    pictures = [picture for _, picture in video.read_frames(frames.tolist())]
    width = rows[0].shape[1] // 4
    rows.append(np.concatenate([cv2.resize(picture, (width, width * picture.shape[0] // picture.shape[1])) for picture in pictures], axis=1))
    sheet = np.concatenate([row[:, : 4 * width] for row in rows])
    cv2.imwrite(str(out / f"{job}.jpg"), np.ascontiguousarray(sheet[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 80])


def main() -> None:
    """Runs the jobs named on the command line, or all."""
    out, jobs = Path(sys.argv[1]), sys.argv[2:] or list(JOBS)
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for job in jobs:
        clip, options = prepare(job, out)
        open_clip(clip)
        call("fit", "--video", str(clip), "--out", str(out / job), *options)
        rows.append(describe(job, out, clip))
        draw_sheet(job, out)
        print(rows[-1], flush=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2
    print("\n".join(["", *rows, f"largest memory of a run {peak:.1f} GiB"]))


if __name__ == "__main__":
    main()
