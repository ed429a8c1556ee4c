"""Ten thousand clips on 256 GPUs that are taken away now and then, in simulated time, by the batch's own loop, journal and judgement.

    python experiments/07_scale/simulate_fleet.py [--clips 10000] [--gpus 256] [--rates 0.02 0.1 0.5] [--drivers 3] [--first 60]

Only the processes are pretended: an engine whose clock jumps from one ending to the next. Clip times are log-normal (median 40 minutes, sigma
0.6), preemptions memoryless; a checkpoint every 60 s costs 0.3 s, a start 30 s; a
clip is observed for --first seconds before its first stage is kept. One clip in 200 kills every process before its first
checkpoint. The driver dies --drivers times at random and is started again on the same folder. `attempts` counts attempts instead of progress.
"""

import argparse
import heapq
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hoifield.batch.batch_folder import BatchFolder
from hoifield.batch.drive_batch import drive_batch
from hoifield.batch.fit_orders import FitOptions, order_fit
from hoifield.batch.judge_attempts import NO_PROGRESS, AttemptEnding
from hoifield.batch.name_clips import BatchClip
from hoifield.batch.run_attempt import AttemptOrder
from hoifield.errors import InputOutputFailure
from hoifield.runlog.stop_request import StopRequest

CHECKPOINT_S, CHECKPOINT_COST_S, START_S = 60.0, 0.3, 30.0
POISON_EVERY = 200


@dataclass
class PretendedClip:
    """What really lies on the disk of a clip."""

    work_s: float
    poison: bool
    saved_s: float = 0.0
    """Work that checkpoints hold."""
    observed: bool = False
    finished: int = 0


@dataclass
class Fleet:
    """The clips, the clock and the bill; it outlives drivers."""

    clips: dict[str, PretendedClip]
    rate_per_s: float
    random: np.random.Generator
    counts_progress: bool
    first_s: float
    now_s: float = 0.0
    busy_s: float = 0.0
    ended_s: float = 0.0
    driver_deaths_s: list[float] = field(default_factory=list)


class DriverDied(InputOutputFailure):
    """As `kill -9` of the driver: what runs is gone, nothing more is written."""


class SimulatedEngine:
    """An engine of `gpus` places on the fleet's clock."""

    def __init__(self, fleet: Fleet, gpus: int) -> None:
        self._fleet, self._gpus = fleet, gpus
        self._pending: list[tuple[float, int, str, float, bool]] = []
        self._started = 0

    def has_room(self) -> bool:
        """Whether a GPU is free."""
        return len(self._pending) < self._gpus

    def start(self, order: AttemptOrder) -> None:
        """Draws when the attempt ends, and whether by a preemption."""
        fleet, clip = self._fleet, self._fleet.clips[order.clip]
        left_s = (clip.work_s - clip.saved_s) * (1 + CHECKPOINT_COST_S / CHECKPOINT_S)
        ends_s = START_S + (20.0 if clip.poison else self._unseen_s(clip) + left_s)
        preempted_s = fleet.random.exponential(1 / fleet.rate_per_s)
        dies = clip.poison or preempted_s < ends_s
        lasts_s = min(preempted_s, ends_s)
        self._started += 1
        heapq.heappush(self._pending, (fleet.now_s + lasts_s, self._started, order.clip, lasts_s, dies))

    def wait(self) -> list[tuple[str, AttemptEnding]]:
        """Jumps to the next ending, or to the driver's death."""
        fleet = self._fleet
        at_s = self._pending[0][0]
        if fleet.driver_deaths_s and fleet.driver_deaths_s[0] < at_s:
            fleet.now_s = fleet.driver_deaths_s.pop(0)
            for ends_s, _, name, lasts_s, _ in self._pending:
                self._bill(name, lasts_s - (ends_s - fleet.now_s), died=True)
            self._pending.clear()
            raise DriverDied("HF-OUT-003", "the driver died", "start it again")
        _, _, name, lasts_s, dies = heapq.heappop(self._pending)
        fleet.now_s = fleet.ended_s = at_s
        return [(name, self._bill(name, lasts_s, dies))]

    def stop(self) -> list[tuple[str, AttemptEnding]]:
        """Nothing runs at the end; a dead driver stops nothing."""
        return []

    def _unseen_s(self, clip: PretendedClip) -> float:
        return 0.0 if clip.observed else self._fleet.first_s

    def _bill(self, name: str, lasts_s: float, died: bool) -> AttemptEnding:
        """Keeps what was saved, and says how the attempt ended."""
        fleet, clip = self._fleet, self._fleet.clips[name]
        fleet.busy_s += lasts_s
        if died and not clip.poison:
            fitted_s = lasts_s - START_S - self._unseen_s(clip)
            clip.observed = clip.observed or fitted_s > 0
            cycles = int(max(0.0, fitted_s) // (CHECKPOINT_S + CHECKPOINT_COST_S))
            clip.saved_s = min(clip.saved_s + cycles * CHECKPOINT_S, clip.work_s)
        if not died:
            clip.saved_s, clip.observed, clip.finished = clip.work_s, True, clip.finished + 1
        step = int(clip.saved_s / CHECKPOINT_S) - 1
        progress = (2 if not died else 0, step, int(clip.observed)) if fleet.counts_progress else NO_PROGRESS
        return AttemptEnding(-9, lasts_s, progress) if died else AttemptEnding(0, lasts_s, progress, "ok")


def simulate(folder: Path, clips: int, gpus: int, rate_per_hour: float, drivers: int, first_s: float, counts_progress: bool) -> str:
    """One line of the table."""
    random = np.random.default_rng(0)
    work_s = 2400 * random.lognormal(0.0, 0.6, clips)
    named = [BatchClip(f"clip-{k:05d}", f"/clips/{k:05d}.mp4") for k in range(clips)]
    pretended = {clip.name: PretendedClip(work_s[k], k % POISON_EVERY == 7) for k, clip in enumerate(named)}
    sound_s = sum(first_s + clip.work_s for clip in pretended.values() if not clip.poison)
    deaths_s = sorted(random.uniform(0.05, 0.9, drivers) * sound_s / gpus)
    fleet = Fleet(pretended, rate_per_hour / 3600, random, counts_progress, first_s, driver_deaths_s=list(map(float, deaths_s)))
    options, started, opened_s = FitOptions(), time.monotonic(), 0.0
    while True:
        opening = time.monotonic()
        with BatchFolder.open(folder, options.identity()) as batch:
            opened_s = max(opened_s, time.monotonic() - opening)
            batch.add_clips(named)
            try:
                drive_batch(batch, SimulatedEngine(fleet, gpus), lambda clip, at=batch.path: order_fit(clip, at, options), StopRequest(), lambda line: None)
            except DriverDied:
                continue
            outcomes = {record.name: record.outcome for record in batch.records.values()}
            attempts = sum(record.attempts for record in batch.records.values())
            break
    lost = sum(outcomes[name] != "done" for name, clip in pretended.items() if not clip.poison)
    caught = sum(outcomes[name] == "quarantined" for name, clip in pretended.items() if clip.poison)
    poison = sum(clip.poison for clip in pretended.values())
    twice = sum(clip.finished > 1 for clip in pretended.values())
    wasted = 100 * (fleet.busy_s / sound_s - 1)
    bound = "progress" if counts_progress else "attempts"
    return (
        f"| {rate_per_hour} | {first_s:.0f} s | {bound} | {lost} | {twice} | {caught} of {poison} | {attempts} | {fleet.ended_s / 3600:.1f} | "
        f"{sound_s / gpus / 3600:.1f} | {wasted:.1f} % | {time.monotonic() - started:.0f} s | {opened_s:.2f} s |"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--gpus", type=int, default=256)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.02, 0.1, 0.5])
    parser.add_argument("--drivers", type=int, default=3)
    parser.add_argument("--first", type=float, default=60.0)
    asked = parser.parse_args()
    print("| preemptions per GPU-hour | observing | bound | lost | twice | poison caught | attempts | makespan h | ideal h | wasted | real time | restart |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for rate in asked.rates:
        for counts_progress in (True, False):
            with tempfile.TemporaryDirectory() as folder:
                print(simulate(Path(folder) / "out", asked.clips, asked.gpus, rate, asked.drivers, asked.first, counts_progress), flush=True)


if __name__ == "__main__":
    main()
