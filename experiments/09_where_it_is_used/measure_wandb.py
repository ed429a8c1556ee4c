"""Three runs in wandb's offline files: two fits and a clip without a hand; one of the fits is killed with SIGKILL in the middle and resumed.

    python experiments/09_where_it_is_used/measure_wandb.py OUT

The fits are those of 07_scale: the main job on generated clips of 64 pixels with a quarter of the smallest preset's steps. What the files
hold is told by wandb's own reader. Nothing is sent anywhere.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from hoifield.cli.main import run as run_command_line
from hoifield.runlog.metrics_log import read_metrics
from hoifield.runlog.run_standing import read_standing
from hoifield.storage import read_json_lines
from hoifield.synthetic.make_clip import write_video

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

from offline_wandb import OfflineRun, read_offline_run

ROOT = Path(__file__).resolve().parents[2]
SMALL_FIT = (sys.executable, str(ROOT / "experiments" / "07_scale" / "measure_batch.py"), "fit")


def make_clips(out: Path) -> dict[str, Path]:
    """A mug and a box in a hand, and noise."""
    for name in ("mug", "box"):
        if not (out / "clips" / name / "clip.mp4").is_file():
            run_command_line(["synth", str(out / "clips" / name), "--object", name, "--frames", "16", "--size", "64"])
    generator = np.random.default_rng(0)
    write_video(out / "clips" / "noise.mp4", (generator.integers(0, 256, (160, 160, 3), dtype=np.uint8) for _ in range(16)), (160, 160), 15.0)
    return {"mug": out / "clips" / "mug" / "clip.mp4", "box": out / "clips" / "box" / "clip.mp4", "noise": out / "clips" / "noise.mp4"}


def fit(clip: Path, run: Path, kill_in: str | None = None) -> int:
    """Exit code of a fit that is tracked offline; with `kill_in` it is killed once that stage has logged."""
    small = [*SMALL_FIT] if (clip.parent / "truth.json").is_file() else [sys.executable, "-m", "hoifield", "fit"]
    process = subprocess.Popen([*small, "--video", str(clip), "--out", str(run), "--track", "offline"], env={**os.environ, "PYTHONPATH": str(ROOT)})
    while process.poll() is None:
        # Nothing but whole lines counts here, as for every reader of the file.
        if kill_in and any(line["name"].startswith(f"{kill_in}/") for line in read_json_lines(run / "metrics.jsonl")):
            os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.2)
    return process.returncode


def describe(run: Path) -> OfflineRun:
    """Prints what the file of a run holds, beside what the run folder says."""
    offline = read_offline_run(run)
    logged = sorted({metric.step for metric in read_metrics(run / "metrics.jsonl")}) if (run / "metrics.jsonl").exists() else []
    media = sorted({key.removesuffix("._type") for row in offline.history for key in row if key.endswith("._type")})
    row = {
        "run": run.name,
        "status": offline.summary["status"],
        "reasons": offline.summary["reasons/codes"],
        "steps": len(offline.steps()),
        "gaps": len(set(logged) - set(offline.steps())),
        "duplicates": len(offline.steps()) - len(set(offline.steps())),
        "curves": len({metric.name for metric in read_metrics(run / "metrics.jsonl")}),
        "config": len(offline.config),
        "summary": len([key for key in offline.summary if key.split("/")[0] in ("status", "reasons", "quality", "confidence", "seconds", "object")]),
        "media": media,
        "megabytes": round(sum(path.stat().st_size for path in (run / "wandb").rglob("*") if path.is_file()) / 1e6, 2),
    }
    print(json.dumps(row), flush=True)
    return offline


def main() -> None:
    """Fits, kills, syncs, reads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        os.environ.pop(name, None)
    clips = make_clips(out)
    print("killed:", fit(clips["mug"], out / "runs" / "mug", kill_in="final"), flush=True)
    assert not list((out / "runs" / "mug").glob("wandb")), "a killed fit writes nothing to wandb"
    run_command_line(["track", "sync", str(out / "runs" / "mug")])
    assert describe(out / "runs" / "mug").summary["status"] == "killed"
    for name in ("mug", "box", "noise"):
        print(f"{name}:", fit(clips[name], out / "runs" / name), flush=True)
    keys = []
    for name in ("mug", "box", "noise"):
        offline = describe(out / "runs" / name)
        assert offline.summary["status"] == read_standing(out / "runs" / name).status
        keys.append({key for key in offline.summary if key.split("/")[0] in ("status", "reasons", "quality", "confidence", "seconds", "object")})
    assert keys[0] == keys[1] == keys[2]


if __name__ == "__main__":
    main()
