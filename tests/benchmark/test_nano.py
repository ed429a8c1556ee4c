"""The smallest tier from recipe to table: it passes its thresholds, and a fit that is sabotaged does not."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from hoifield.benchmark import run_tier as runner
from hoifield.benchmark.method_row import MethodRow
from hoifield.benchmark.run_tier import TierConfig, given_help, run_tier
from hoifield.benchmark.tier_page import render_tier_page
from hoifield.benchmark.tier_summary import summarise_tier, summary_as_json
from hoifield.benchmark.tier_table import write_table
from hoifield.benchmark.tiers import BenchmarkClip, tier_clips
from hoifield.errors import CannotCreateOutput, MissingDependency, UsageError
from hoifield.observations.hand_tracker_files import find_hand_tracker
from hoifield.observations.observations import Observations
from hoifield.pipelines import fit_video as main_job
from hoifield.pipelines.observe import ObserveConfig
from hoifield.storage import sha256_of
from hoifield.synthetic.make_clip import make_clip

LEAST = {"f10_icp_pct": 85.0, "frames_placed_pct": 100.0, "mask_iou_object": 0.6}
MOST = {"cd_icp_cm2": 1.2, "mpjpe_ra_mm": 20.0, "cd_hand_cm2": 6.0, "pose_rot_deg": 12.0}


def passes(row: MethodRow) -> bool:
    """Whether the row meets every threshold of the tier."""
    found = row.scores
    return bool(found) and all(found[name] >= limit for name, limit in LEAST.items()) and all(found[name] <= limit for name, limit in MOST.items())


@dataclass(frozen=True)
class Nano:
    config: TierConfig
    rows: tuple[MethodRow, ...]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    try:
        find_hand_tracker()
    except MissingDependency as missing:
        pytest.skip(missing.cause)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run(config: TierConfig) -> tuple[MethodRow, ...]:
    return run_tier(config, lambda line: None, lambda *told: None)


@pytest.fixture(scope="module")
def nano(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Nano:
    config = TierConfig("nano", tmp_path_factory.mktemp("nano"), methods=("fit", "hull_true_poses"))
    return Nano(config, run(config))


def test_the_fit_passes_the_thresholds_of_the_tier(nano: Nano) -> None:
    fit = nano.rows[0]
    print({name: round(fit.scores[name], 3) for name in LEAST | MOST}, fit.status, round(fit.seconds))
    assert fit.method == "fit" and fit.failure == "none"
    assert passes(fit)


def sabotaged(nano: Nano, folder: Path) -> MethodRow:
    """The fit of the same clip, made again in another folder."""
    return run(TierConfig("nano", folder, methods=("fit",)))[0]


def test_a_fit_with_hand_and_object_swapped_in_its_masks_does_not_pass(nano: Nano, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swapped = np.arange(256, dtype=np.uint8)
    swapped[[1, 2]] = 2, 1
    for path in (nano.config.out / "clips" / "mug" / "truth" / "masks").iterdir():
        (tmp_path / "masks").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "masks" / path.name), swapped[cv2.imread(str(path), cv2.IMREAD_UNCHANGED)])

    def mislead(clip: BenchmarkClip, truth: Path, seed: int) -> ObserveConfig:
        return replace(given_help(clip, truth, seed), masks=tmp_path / "masks")

    monkeypatch.setattr(runner, "given_help", mislead)
    row = sabotaged(nano, tmp_path / "run")
    print(row.status, row.codes, row.scores.get("f10_icp_pct"), row.scores.get("mask_iou_object"))
    assert not passes(row)


def test_a_fit_with_frozen_object_poses_does_not_pass(nano: Nano, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    observe = main_job.observe_clip

    def freeze(*arguments: object) -> Observations:
        seen = observe(*arguments)  # type: ignore[arg-type]
        assert seen.object_track is not None
        still = np.where(np.isfinite(seen.object_track.T_camera_object), seen.object_track.T_camera_object[:1], np.nan)
        return replace(seen, object_track=replace(seen.object_track, T_camera_object=still))

    monkeypatch.setattr(main_job, "observe_clip", freeze)
    row = sabotaged(nano, tmp_path / "run")
    print(row.status, row.codes, row.scores.get("f10_icp_pct"), row.scores.get("pose_rot_deg"))
    assert not passes(row)


def test_of_the_hull_from_true_poses_only_the_shape_is_scored(nano: Nano) -> None:
    hull = nano.rows[1]
    assert hull.method == "hull_true_poses" and hull.scores["f10_icp_pct"] > 80
    assert "mpjpe_ra_mm" not in hull.scores and hull.failure == "none"


def test_the_same_call_again_runs_nothing_and_other_code_is_refused(nano: Nano, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_run_method", lambda *arguments: pytest.fail("run again"))
    assert run(nano.config) == nano.rows
    monkeypatch.setattr(runner, "code_digest", lambda: "other")
    with pytest.raises(CannotCreateOutput) as refusal:
        run(nano.config)
    assert refusal.value.code == "HF-BEN-001" and "code" in refusal.value.cause


def test_a_clip_that_the_tier_does_not_have_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refusal:
        run(TierConfig("nano", tmp_path / "out", clips=("teapot",)))
    assert refusal.value.code == "HF-BEN-002" and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name, content", [("letter.txt", "dear"), ("benchmark.json", "{")])
def test_a_folder_with_other_things_or_a_damaged_mark_is_left_alone(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(CannotCreateOutput) as refusal:
        run(TierConfig("nano", tmp_path))
    assert refusal.value.code == "HF-BEN-006"
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == content


def test_table_page_and_json_hold_every_row(nano: Nano) -> None:
    summary = summarise_tier(nano.rows)
    table = write_table(nano.rows, summary)
    assert "mug" in table and "hull_true_poses" in table
    page = render_tier_page("nano", tier_clips("nano"), nano.config.out / "clips", nano.rows, summary)
    assert "<h2>mug" in page and page.count("<figure>") == 5 and "http" not in page.replace("http-equiv", "")
    document = summary_as_json(nano.rows, summary, {"schema": "hoifield.benchmark/1"})
    assert [row["method"] for row in json.loads(json.dumps(document, allow_nan=False))["rows"]] == ["fit", "hull_true_poses"]


def test_a_clip_made_twice_has_the_same_files_bit_for_bit(nano: Nano, tmp_path: Path) -> None:
    make_clip(tier_clips("nano")[0].recipe, tmp_path)
    first = nano.config.out / "clips" / "mug" / "truth"
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert len(made) > 16
    assert all(sha256_of(tmp_path / path) == sha256_of(first / path) for path in made)
