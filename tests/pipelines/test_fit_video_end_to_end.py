"""The main job on a small made-up clip, from the video to the report: what comes out is whole, right, repeatable and honest."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from offline_wandb import find_keys_never_logged, read_offline_run
from scipy.spatial.transform import Rotation
from tiny_fit import build_tiny_preset, run_tiny_fit

from hoifield.errors import MissingDependency, MissingInput, RefusedInput
from hoifield.evaluation.evaluate import evaluate
from hoifield.evaluation.scorecard import Scorecard
from hoifield.geometry.mesh import Mesh
from hoifield.observations.hand_tracker_files import find_hand_tracker
from hoifield.observations.observations_folder import load_observations
from hoifield.pipelines import fit_video as main_job
from hoifield.pipelines import follow_run
from hoifield.pipelines.fit_video import FitOutcome, FitVideoConfig, fit_video
from hoifield.pipelines.observe import ObserveConfig
from hoifield.pipelines.presets import choose_curves
from hoifield.result.fit_result import FitResult
from hoifield.result.mesh_files import write_mesh
from hoifield.result.result_folder import read_result
from hoifield.runlog.run_folder import read_journal
from hoifield.runlog.run_standing import find_stage_pictures
from hoifield.runlog.wandb_log import sync_run
from hoifield.runlog.wandb_workspace import describe_comparison
from hoifield.storage import read_json_lines, verify_committed
from hoifield.synthetic.clip_recipe import ClipRecipe
from hoifield.synthetic.make_clip import make_clip, write_video

RECIPE = ClipRecipe(object="box", frames=18, size=160, frames_per_second=15.0)
LEAST_F10_PCT = 65.0
"""A tiny fit reaches about 85."""


@dataclass(frozen=True)
class Fitted:
    truth: Path
    outcome: FitOutcome
    result: FitResult
    card: Scorecard


@pytest.fixture(scope="module", autouse=True)
def small_job() -> object:
    """The tiny preset, on one thread; skipped where the hand tracker's files are not installed."""
    try:
        find_hand_tracker()
    except MissingDependency as missing:
        pytest.skip(missing.cause)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        for module in (main_job, follow_run):
            patch.setattr(module, "build_preset", build_tiny_preset)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def fitted(small_job: object, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    folder = tmp_path_factory.mktemp("end-to-end")
    make_clip(RECIPE, folder / "truth")
    outcome = run_tiny_fit(folder / "truth", folder / "run", lambda *told: None)
    result = read_result(outcome.run / "result")
    return Fitted(folder / "truth", outcome, result, evaluate(result, folder / "truth"))


def test_the_run_folder_is_whole(fitted: Fitted) -> None:
    run = fitted.outcome.run
    for folder in ("result", "report"):
        verify_committed(run / folder)
    assert {"result.json", "object.ply", "poses.npz", "scene.glb", "overlay.mp4"} <= {path.name for path in (run / "result").iterdir()}
    assert (run / "report" / "report.html").stat().st_size > 10_000
    assert json.loads((run / "run.json").read_text()) and read_journal(run)
    pictures = [(stage, step, cv2.imread(str(path))) for step, stage, path in find_stage_pictures(run)]
    assert [(stage, step) for stage, step, _ in pictures] == [("coarse", 39), ("placement", 49), ("final", 89), ("touch", 99)]
    assert all(picture is not None and picture.shape == (2 * RECIPE.size, 3 * RECIPE.size, 3) for *_, picture in pictures)
    assert [event["stage"] for event in read_journal(run) if event["event"] == "stage done"] == ["observe", "coarse", "placement", "final", "touch"]
    steps = [line["step"] for line in read_json_lines(run / "metrics.jsonl")]
    assert steps == sorted(steps) and steps[-1] == sum(stage.steps for stage in build_tiny_preset("draft", 0).stages) - 1


def test_the_summary_says_what_was_reached_and_with_what(fitted: Fitted) -> None:
    summary = fitted.result.summary
    assert fitted.outcome.status in ("ok", "degraded") and not fitted.outcome.was_done
    assert (fitted.outcome.status == "degraded") == bool(fitted.outcome.reasons)
    assert summary["clip"]["frames"] == RECIPE.frames and summary["preset"] == "draft"
    assert all(0 <= value <= 1 for value in summary["confidence"].values())
    assert summary["quality"]["mask_iou_object"] > 0.5 and summary["quality"]["mask_iou_hand"] > 0.5


def test_every_frame_is_placed_and_object_and_hand_are_near_the_truth(fitted: Fitted) -> None:
    card = fitted.card
    print({name: round(card[name].value, 2) for name in ("f10_icp_pct", "pose_rot_deg", "pose_trans_mm", "mpjpe_ra_mm", "mask_iou_object")})
    assert card["frames_placed_pct"].value == 100
    assert card["f10_icp_pct"].value > LEAST_F10_PCT
    assert card["pose_rot_deg"].value < 12 and card["pose_trans_mm"].value < 25
    assert card["mpjpe_ra_mm"].value < 20
    assert card["mask_iou_object"].value > 0.55


def test_every_key_that_the_saved_wandb_view_names_is_logged_by_a_fit(fitted: Fitted, tmp_path: Path) -> None:
    pytest.importorskip("wandb_workspaces")
    shutil.copytree(fitted.outcome.run, tmp_path / "run")
    sync_run(tmp_path / "run", "offline")
    offline_run = read_offline_run(tmp_path / "run")
    curves = choose_curves()
    assert list(curves) == [stage.name for stage in build_tiny_preset("draft", 0).stages]
    assert find_keys_never_logged(describe_comparison(curves), offline_run.keys()) == []
    for stage in curves:
        wrong = describe_comparison({**curves, stage: (*curves[stage], "beauty")})
        assert find_keys_never_logged(wrong, offline_run.keys()) == [f"{stage}/beauty"]


def test_a_wrong_shape_and_wrong_poses_miss_the_same_thresholds(fitted: Fitted) -> None:
    flat = Mesh(fitted.result.object_mesh.vertices * [1.6, 1.0, 0.15], fitted.result.object_mesh.faces)
    still = np.tile(fitted.result.T_camera_object[:1], (RECIPE.frames, 1, 1))
    card = evaluate(replace(fitted.result, object_mesh=flat, T_camera_object=still), fitted.truth)
    print(card["f10_icp_pct"].value, card["pose_rot_deg"].value, card["mask_iou_object"].value)
    assert card["f10_icp_pct"].value < LEAST_F10_PCT
    assert card["pose_rot_deg"].value > 12 and card["mask_iou_object"].value < 0.55


def test_the_same_command_again_says_that_it_is_done_and_changes_nothing(fitted: Fitted) -> None:
    run = fitted.outcome.run
    before = {path: path.stat().st_mtime_ns for folder in ("result", "report") for path in (run / folder).iterdir()}
    again = run_tiny_fit(fitted.truth, run, lambda *told: pytest.fail(f"fitted again: {told}"))
    assert again.was_done and (again.status, again.reasons) == (fitted.outcome.status, fitted.outcome.reasons)
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.fixture(scope="module")
def killed(fitted: Fitted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of the same fit, killed in its last field stage. Do not change it: it is shared."""
    run, root = tmp_path_factory.mktemp("killed") / "run", Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    program = Path(__file__).with_name("tiny_fit.py")
    ended = subprocess.run([sys.executable, str(program), str(fitted.truth), str(run)], env=environment, capture_output=True, timeout=400)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]
    assert not (run / "result").exists()
    return run


def test_a_run_killed_in_its_last_field_stage_resumes_to_the_same_result_to_the_last_bit(fitted: Fitted, killed: Path, tmp_path: Path) -> None:
    run = shutil.copytree(killed, tmp_path / "run")
    stages: list[str] = []
    outcome = run_tiny_fit(fitted.truth, run, lambda stage, done, steps: stages.append(stage))
    assert outcome.status == fitted.outcome.status and not outcome.was_done
    assert "coarse" not in stages and "final" in stages
    for name in ("object.ply", "poses.npz"):
        assert (run / "result" / name).read_bytes() == (fitted.outcome.run / "result" / name).read_bytes()


def test_who_follows_a_fit_sees_each_checkpoint_as_the_fit_saved_it_and_at_last_the_result(fitted: Fitted, killed: Path, tmp_path: Path) -> None:
    run = shutil.copytree(killed, tmp_path / "run")
    states = follow_run.follow_run(run, poll_s=0.0)
    seen = [next(states), next(states)]
    assert seen[0] is not None and seen[1] is None, "nothing is shown twice"

    def look(stage: str, done: int, steps: int) -> None:
        if done == steps:
            seen.append(next(states))

    run_tiny_fit(fitted.truth, run, look)
    # What the viewer sees beside a fit that writes is what lies there once it is done.
    seen += list(states)
    found = [state for state in seen if state is not None]
    assert [state.state for state in found] == ["before final, stage 3 of 4", "before touch, stage 4 of 4", f"finished: {fitted.outcome.status}"]
    assert all(len(state.pictures) == RECIPE.frames for state in found)
    final, last = found[-1].result, follow_run.begin(run)
    assert last is not None
    saved = last.look(follow_run.list_checkpoints(run)[-1])
    assert saved is not None and saved.state == "all stages done, the result is being written"
    np.testing.assert_array_equal(saved.result.T_camera_object, final.T_camera_object)
    np.testing.assert_array_equal(saved.result.hands[0].vertices, final.hands[0].vertices)
    assert np.abs(found[0].result.T_camera_object - final.T_camera_object).max() > 1e-4, "the fit moved on"


def test_before_its_first_checkpoint_a_fit_shows_what_was_observed_and_before_that_nothing(fitted: Fitted, killed: Path, tmp_path: Path) -> None:
    run = shutil.copytree(killed, tmp_path / "run")
    shutil.rmtree(run / "ckpt")
    state = next(follow_run.follow_run(run, poll_s=0.0))
    observed = load_observations(next((run / "stages" / "observe").iterdir()))
    track, hand = observed.object_track, observed.hands[0]
    assert state is not None and track is not None and state.state == "observed, before the fit"
    np.testing.assert_allclose(state.result.T_camera_object, track.T_camera_object, atol=1e-6)
    np.testing.assert_allclose(state.result.hands[0].T_camera_hand, hand.T_camera_hand, atol=1e-6)
    np.testing.assert_array_equal(state.result.object_mesh.vertices, track.hull.vertices)
    begun = follow_run.begin(run)
    assert begun is not None and begun.look(run / "ckpt" / "000000001") is None, "a checkpoint that the fit has removed meanwhile"
    record = run / "run.json"
    record.write_text(record.read_text().replace('"preset": "draft"', '"preset": "hold"'))
    with pytest.raises(RefusedInput, match="HF-VIE-005"):
        follow_run.begin(run)
    (run / "journal.jsonl").unlink()
    with pytest.raises(MissingInput, match="HF-VIE-004"):
        follow_run.begin(run)
    shutil.rmtree(run / "stages")
    assert next(follow_run.follow_run(run, poll_s=0.0)) is None


def test_a_known_object_keeps_its_shape_and_is_placed_by_it(fitted: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # a box needs fewer turns than a mug
    monkeypatch.setattr("hoifield.observations.place_template.ROTATIONS", 120)
    monkeypatch.setattr("hoifield.observations.place_template.SETTLED", 8)
    known = read_result(fitted.truth).object_mesh
    turned = Mesh(100.0 * known.vertices @ Rotation.from_rotvec([0.7, -1.9, 1.1]).as_matrix().T, known.faces)
    write_mesh(tmp_path / "box.ply", turned)
    outcome = run_tiny_fit(fitted.truth, tmp_path / "run", lambda *told: None, tmp_path / "box.ply")
    result = read_result(outcome.run / "result")
    template, card = result.summary["template"], evaluate(result, fitted.truth)
    expected = template["size"] * (turned.vertices - np.array(template["middle"]))
    np.testing.assert_allclose(result.object_mesh.vertices, expected, atol=1e-6)
    np.testing.assert_array_equal(result.object_mesh.faces, turned.faces)
    colours = result.object_mesh.colours
    assert colours is not None and colours.std() > 0.02, "colours are the clip's"
    print({name: round(card[name].value, 2) for name in ("f5_icp_pct", "pose_trans_mm", "mask_iou_object", "cd_hand_cm2")}, template)
    assert template["likeness"] > 0.93
    assert card["f5_icp_pct"].value > 99 > fitted.card["f5_icp_pct"].value
    assert card["mask_iou_object"].value > 0.55


def test_a_template_that_encloses_nothing_is_refused_before_the_clip_is_looked_at(fitted: Fitted, tmp_path: Path) -> None:
    known = read_result(fitted.truth).object_mesh
    write_mesh(tmp_path / "open.ply", Mesh(known.vertices, known.faces[1:]))
    with pytest.raises(RefusedInput, match="HF-OBS-902"):
        run_tiny_fit(fitted.truth, tmp_path / "run", lambda *told: pytest.fail("fitted"), tmp_path / "open.ply")
    assert not (tmp_path / "run").exists()


def test_a_clip_without_a_hand_is_refused_with_reasons_and_a_report(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    pictures = (generator.integers(0, 256, (160, 160, 3), dtype=np.uint8) for _ in range(16))
    write_video(tmp_path / "noise.mp4", pictures, (160, 160), 15.0)
    outcome = fit_video(tmp_path / "noise.mp4", tmp_path / "run", FitVideoConfig(ObserveConfig()), lambda line: None, lambda *told: pytest.fail("fitted"))
    summary = json.loads((tmp_path / "run" / "result" / "result.json").read_text())
    assert outcome.status == summary["status"] == "refused"
    assert summary["reasons"] and all(reason["code"].startswith("HF-") and reason["message"] for reason in summary["reasons"])
    assert (tmp_path / "run" / "report" / "report.html").stat().st_size > 1000
    assert not (tmp_path / "run" / "result" / "object.ply").exists()
    with pytest.raises(MissingInput, match="HF-VIE-003"):
        next(follow_run.follow_run(tmp_path / "run", poll_s=0.0))
