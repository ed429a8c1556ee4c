"""A tier carried out: every clip made, fitted, solved by the anchors and scored; the same call goes on where a stopped one was."""

import hashlib
import json
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import assert_never

import hoifield
from hoifield.benchmark.anchors import solve_exactly, solve_otherwise
from hoifield.benchmark.method_row import EXACT_ANCHORS, METHOD_NAMES, MethodName, MethodRow, Status, read_row, write_row
from hoifield.benchmark.tiers import BenchmarkClip, TierName, tier_clips
from hoifield.clip.open_clip import open_clip
from hoifield.datasets.read_truth import read_truth
from hoifield.errors import CannotCreateOutput, HoifieldError, InputOutputFailure, Interrupted, Locked, UsageError
from hoifield.evaluation.evaluate import evaluate, evaluate_shape
from hoifield.observations.observations_folder import load_observations
from hoifield.pipelines.fit_observations import StepAnnounce
from hoifield.pipelines.fit_video import FitVideoConfig, fit_video
from hoifield.pipelines.observe import Announce, ObserveConfig
from hoifield.pipelines.presets import Preset, build_preset
from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import read_result, read_summary, write_result
from hoifield.storage import commit_directory, is_committed, write_file
from hoifield.synthetic.make_clip import make_clip
from hoifield.synthetic.truth_files import INTRINSICS_FILE

SCHEMA = "hoifield.benchmark/1"
REMEDY = "name another folder with --out"


@dataclass(frozen=True)
class TierConfig:
    """What is run, and where it is kept."""

    tier: TierName
    out: Path
    clips: tuple[str, ...] = ()
    """Names of the clips to run; all where empty."""
    methods: tuple[MethodName, ...] = METHOD_NAMES
    seed: int = 0


def run_tier(config: TierConfig, announce: Announce, announce_step: StepAnnounce) -> tuple[MethodRow, ...]:
    """The rows of all clips and methods that have been run in the folder, in the tier's order; what is missing is run first.

    Raises UsageError (HF-BEN-002) for a clip that the tier does not have, and CannotCreateOutput (HF-BEN-001) for a folder whose results
    came from other code or another tier, or that holds something else (HF-BEN-006): scores of two versions never mix. A clip that cannot be
    fitted is a row, not an error.
    """
    clips = tier_clips(config.tier)
    unknown = sorted(set(config.clips) - {clip.name for clip in clips})
    if unknown:
        raise UsageError("HF-BEN-002", f"{unknown[0]!r} is no clip of {config.tier}", f"use some of {', '.join(clip.name for clip in clips)}")
    _claim(config)
    for clip in clips:
        if config.clips and clip.name not in config.clips:
            continue
        folder = config.out / "clips" / clip.name
        make_truth(clip, folder / "truth", announce)
        for method in config.methods:
            if read_row(folder / f"{method}.json") is None:
                announce(f"{clip.name}: {method}")
                write_row(folder / f"{method}.json", _run_method(method, clip, folder, config, announce, announce_step))
    return collect_rows(config)


def collect_rows(config: TierConfig) -> tuple[MethodRow, ...]:
    """The rows that lie in the folder, in the order of clips and methods."""
    files = (config.out / "clips" / clip.name / f"{method}.json" for clip in tier_clips(config.tier) for method in METHOD_NAMES)
    return tuple(row for row in map(read_row, files) if row is not None)


def make_truth(clip: BenchmarkClip, folder: Path, announce: Announce) -> None:
    """The truth folder of a clip, made where it is not complete."""
    if not is_committed(folder):
        announce(f"{clip.name}: rendering {clip.recipe.frames} frames")

        def write(path: Path) -> None:
            make_clip(clip.recipe, path)

        commit_directory(folder, write)


@cache
def code_digest() -> str:
    """sha256 of the package's sources as they were when first asked for: two results are comparable where it is equal."""
    root = Path(hoifield.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _claim(config: TierConfig) -> None:
    """Marks the folder with tier, seed, preset and code, or finds the same mark there."""
    mark = {"schema": SCHEMA, "tier": config.tier, "seed": config.seed, "preset": _preset(config).name, "code": code_digest()}
    path = config.out / "benchmark.json"
    if not path.exists():
        if config.out.is_dir() and any(config.out.iterdir()):
            raise CannotCreateOutput("HF-BEN-006", f"{str(config.out)!r} is not empty and holds no benchmark", REMEDY)
        write_file(path, json.dumps(mark, indent=1).encode())
        return
    try:
        known = dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise CannotCreateOutput("HF-BEN-006", f"{str(path)!r} is damaged", REMEDY) from error
    differing = sorted(key for key in mark if known.get(key) != mark[key])
    if differing:
        raise CannotCreateOutput("HF-BEN-001", f"{str(config.out)!r} holds results of another {', '.join(differing)}", REMEDY)


def _preset(config: TierConfig) -> Preset:
    """The draft; nano has a small one of its own."""
    return build_preset("nano" if config.tier == "nano" else "draft", config.seed)


def _run_method(method: MethodName, clip: BenchmarkClip, folder: Path, config: TierConfig, announce: Announce, step: StepAnnounce) -> MethodRow:
    """One method on one clip; what the method cannot do becomes a row with the error's code."""
    started = time.monotonic()
    try:
        if method == "fit":
            return _run_fit(clip, folder, config, announce, step)
        result = _solve(method, folder, config, step)
    except (Interrupted, Locked, InputOutputFailure):
        raise
    except HoifieldError as error:
        announce(f"{clip.name}: {method}: {error}")
        return MethodRow(clip.name, method, "error", (error.code,), time.monotonic() - started, {}, {})
    seconds = time.monotonic() - started
    commit_directory(folder / method / "result", lambda path: write_result(path, result))
    card = evaluate_shape(result, folder / "truth") if method in EXACT_ANCHORS else evaluate(result, folder / "truth")
    return MethodRow(clip.name, method, "ok", (), seconds, card.measured(), {})


def _solve(method: MethodName, folder: Path, config: TierConfig, step: StepAnnounce) -> FitResult:
    """The answer of an anchor, with the truth's summary where its own is empty."""
    opened, truth = open_clip(folder / "truth" / "clip.mp4"), read_truth(folder / "truth")
    match method:
        case "hull_true_poses" | "field_true_poses":
            return solve_exactly(method, folder / method, opened, truth, config.seed, step)
        case "without_contact" | "hold_schedule" | "diffhoi_schedule":
            observed = sorted((folder / "fit" / "stages" / "observe").glob("*"))
            if not observed:
                raise UsageError("HF-BEN-005", f"{method} needs the observations of the fit, which was not run", "run the method fit as well")
            result = solve_otherwise(method, folder / method, opened, load_observations(observed[-1]), _preset(config), step)
            return replace(result, summary=truth.result.summary)
        case "fit":
            raise AssertionError("the fit is no anchor")
        case _:
            assert_never(method)


def _run_fit(clip: BenchmarkClip, folder: Path, config: TierConfig, announce: Announce, step: StepAnnounce) -> MethodRow:
    """The main job on the clip, told what the tier says."""
    observe = given_help(clip, folder / "truth", config.seed)
    fitting = FitVideoConfig(observe, _preset(config), seed=config.seed)
    outcome = fit_video(folder / "truth" / "clip.mp4", folder / "fit", fitting, announce, step)
    summary = read_summary(outcome.run / "result")
    status: Status = outcome.status
    scores = {} if status == "refused" else evaluate(read_result(outcome.run / "result"), folder / "truth").measured()
    codes = tuple(dict.fromkeys(str(reason["code"]) for reason in outcome.reasons))
    return MethodRow(clip.name, "fit", status, codes, float(summary["seconds"]["total"]), scores, dict(summary["confidence"]))


def given_help(clip: BenchmarkClip, truth: Path, seed: int) -> ObserveConfig:
    """What the fit is told of a clip beside its video."""
    match clip.given:
        case "nothing":
            return ObserveConfig(seed=seed)
        case "stated camera":
            return ObserveConfig(intrinsics=str(truth / INTRINSICS_FILE), seed=seed)
        case "masks and camera":
            K = read_result(truth).K[0]
            return ObserveConfig(intrinsics=f"{K[0, 0]},{K[1, 1]},{K[0, 2]},{K[1, 2]}", masks=truth / "masks", seed=seed)
        case _:
            assert_never(clip.given)
