"""Twelve tiny clips, fitted for real, by batches whose processes are killed: five fits or Ray workers at random times, the driver once.

    python experiments/07_scale/measure_batch.py OUT [--engine serial|ray] [--clips 12] [--kills 5] [--seed 0]

The clips are generated (64 pixels, 16 frames); each fit is the main job with a quarter of the steps of the benchmark's smallest tier, with
the masks and camera of the truth. `python measure_batch.py fit ...` is that fit, in the place of `hoifield fit`; `... drive ...` is one driver.
Prints a line for each kill, then what became of the clips, how often each result was written, and what runs on afterwards.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from hoifield.batch.batch_folder import BatchFolder
from hoifield.batch.drive_batch import Engine, drive_batch
from hoifield.batch.fit_orders import FitOptions, order_fit
from hoifield.batch.name_clips import gather_clips
from hoifield.batch.run_attempt import RUN_MARK, find_processes
from hoifield.batch.serial_engine import SerialEngine
from hoifield.cli.main import run as run_command_line
from hoifield.runlog.run_folder import read_journal
from hoifield.runlog.stop_request import StopRequest

PROGRAM = (sys.executable, str(Path(__file__).resolve()), "fit")
OBJECTS = ("mug", "box", "bottle", "can")


def fit(words: list[str]) -> int:
    """`hoifield fit` with a quarter of the smallest preset in place of the one named, and the truth's masks and camera."""
    from hoifield.pipelines import fit_video

    nano = fit_video.build_preset("nano", 0)
    short = replace(nano, stages=tuple(replace(stage, steps=stage.steps // 4) for stage in nano.stages))
    setattr(fit_video, "build_preset", lambda name, seed: short)  # noqa: B010
    truth = Path(words[words.index("--video") + 1]).parent
    written = json.loads((truth / "truth.json").read_text(encoding="utf-8"))
    focal, middle = written["focal_px"], written["recipe"]["size"] / 2
    return run_command_line(["fit", *words, "--masks", str(truth / "masks"), "--intrinsics", f"{focal},{focal},{middle},{middle}"])


def make_clips(folder: Path, count: int) -> list[Path]:
    """Generated clips, made where they are missing."""
    for k in range(count):
        if not (folder / f"{k:02d}" / "clip.mp4").is_file():
            words = ["synth", str(folder / f"{k:02d}"), "--object", OBJECTS[k % len(OBJECTS)], "--frames", "16", "--size", "64", "--seed", str(k)]
            if run_command_line(words) != 0:
                sys.exit(f"clip {k} was not made")
    return [folder / f"{k:02d}" / "clip.mp4" for k in range(count)]


def drive(engine_name: str, out: Path, clips: list[Path]) -> None:
    """One driver."""
    options = FitOptions(preset="draft")
    with BatchFolder.open(out, options.identity()) as folder:
        folder.add_clips(gather_clips(clips))
        engine: Engine
        if engine_name == "ray":
            from hoifield.batch.ray_engine import RayEngine

            engine = RayEngine(None, 2, on_gpus=False)
        else:
            engine = SerialEngine(2)
        with StopRequest() as stop:
            drive_batch(folder, engine, lambda clip: order_fit(clip, folder.path, options, PROGRAM), stop, lambda line: print(line, flush=True))


def running_fits(out: Path) -> list[int]:
    """Process numbers of the fits, not of what they started."""
    found = [process for run in out.glob("runs/*") for process in find_processes(RUN_MARK, str(run))]
    return [process for process in found if _command_of(process)[1:3] == list(PROGRAM[1:])]


def ray_workers(fits: list[int]) -> list[int]:
    """The Ray workers of the fits."""
    parents = [int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1]) for process in fits]
    return [parent for parent in parents if _command_of(parent)[0].startswith("ray::")]


def _command_of(process: int) -> list[str]:
    try:
        return Path(f"/proc/{process}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return [""]


def kill_at_random(words: list[str], out: Path, kills: int, draw: random.Random) -> None:
    """Starts drivers until one ends by itself; kills fits and workers, and the driver in the middle."""
    driver = subprocess.Popen(words)
    started = time.monotonic()
    for number in range(kills + 1):
        wait_until_s = time.monotonic() + draw.uniform(5, 25)
        while time.monotonic() < wait_until_s or not running_fits(out):
            if driver.poll() is not None:
                print(f"the batch ended before kill {number + 1}")
                return
            time.sleep(0.2)
        at = f"{time.monotonic() - started:.0f} s"
        if number == kills // 2:
            driver.kill()
            driver.wait()
            time.sleep(2.0)
            print(f"{at}: driver killed; fits that live on: {len(running_fits(out))}; started again", flush=True)
            driver = subprocess.Popen(words)
            continue
        fits = running_fits(out)
        workers = ray_workers(fits)
        kind, chosen = ("Ray worker", workers) if workers and number % 2 else ("fit", fits)
        process = draw.choice(chosen)
        os.kill(process, signal.SIGKILL)
        print(f"{at}: {kind} killed", flush=True)
    print(f"driver ended with {driver.wait()} after {time.monotonic() - started:.0f} s")


def report(out: Path) -> None:
    """Prints what became of the clips."""
    document = json.loads((out / "batch.json").read_text())
    print(json.dumps(document["counts"]))
    for row in document["rows"]:
        events = read_journal(out / row["run"])
        steps = [event["step"] for event in events if event["event"] == "checkpoint"]
        repeated = len(steps) - len(set(steps))
        told = f"{row['state']} {' '.join(row['codes'])}; {row['attempts']} attempts, {row['seconds']:.0f} s"
        print(f"{row['name']}: {told}; checkpoints {len(steps)}, made again {repeated}")
    print(f"fits that run on: {len(running_fits(out))}")


def main() -> None:
    """The measurement, or one of its two programs."""
    if sys.argv[1:2] == ["fit"]:
        sys.exit(fit(sys.argv[2:]))
    if sys.argv[1:2] == ["drive"]:
        return drive(sys.argv[2], Path(sys.argv[3]), [Path(word) for word in sys.argv[4:]])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--engine", choices=("serial", "ray"), default="ray")
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    clips = make_clips(asked.out.resolve() / "clips", asked.clips)
    out = asked.out.resolve() / f"batch_{asked.engine}"
    words = [sys.executable, str(Path(__file__).resolve()), "drive", asked.engine, str(out), *map(str, clips)]
    kill_at_random(words, out, asked.kills, random.Random(asked.seed))
    report(out)


if __name__ == "__main__":
    main()
