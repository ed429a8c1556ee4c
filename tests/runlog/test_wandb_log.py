"""wandb gets one clean run built from the run folder, whatever became of it, without account or network; checked by wandb's own reader."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import recorded_runs
from offline_wandb import OfflineRun, read_offline_run
from recorded_runs import KILLED_AT, STAGE_STEPS, log_steps, make_grey_clip, open_run, record_failed_run, record_finished_run, record_refused_run

from hoifield.cli.fit_command import FitCommand
from hoifield.errors import ConfigurationError, InputOutputFailure, Locked, MissingInput, RefusedInput
from hoifield.result.result_folder import NESTED_KEYS
from hoifield.runlog import wandb_log
from hoifield.runlog.run_standing import flatten_config, read_standing
from hoifield.runlog.wandb_log import SUMMARY_NUMBERS, choose_mode, summarise, sync_run

DIES_WHILE_SYNCING = """
import os, pathlib, signal, sys, wandb
from hoifield.runlog.wandb_log import sync_run
logged, log = [], wandb.Run.log
def log_and_die(run, row):
    log(run, row)
    logged.append(row)
    if len(logged) == 7:
        os.kill(os.getpid(), signal.SIGKILL)
wandb.Run.log = log_and_die
sync_run(pathlib.Path(sys.argv[1]))
"""


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent: no key, no mode, and a server that does not exist."""
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_PROJECT", "WANDB_RUN_GROUP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(recorded_runs.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]))


@pytest.fixture(scope="module")
def three_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, OfflineRun]]:
    """A good, a degraded and a refused run, synced."""
    pytest.importorskip("wandb")
    folder = tmp_path_factory.mktemp("runs")
    clip = make_grey_clip(folder / "grey.mp4")
    record_finished_run(folder / "good", clip)
    record_finished_run(folder / "poor", clip, "degraded", "fine", seed=3, scale=2.0)
    record_refused_run(folder / "refused")
    for name in ("good", "poor", "refused"):
        assert sync_run(folder / name, "offline") == "offline"
    return {name: (folder / name, read_offline_run(folder / name)) for name in ("good", "poor", "refused")}


def test_three_offline_runs_hold_config_and_a_summary_with_the_same_keys(three_runs: dict[str, tuple[Path, OfflineRun]]) -> None:
    expected = {"status", "reasons/codes", "reasons/messages"} | {f"{part}/{name}" for part, names in SUMMARY_NUMBERS.items() for name in names}
    for name, (_, offline_run) in three_runs.items():
        assert expected <= set(offline_run.summary), name
        assert {"clip/name", "clip/sha256", "observe/hand", "preset", "seed", "versions/hoifield"} <= set(offline_run.config)
    good, poor, refused = (three_runs[name][1] for name in ("good", "poor", "refused"))
    assert (good.summary["status"], poor.summary["status"], refused.summary["status"]) == ("ok", "degraded", "refused")
    assert good.summary["quality/psnr_db"] == 25.0 and refused.summary["quality/psnr_db"] is None
    assert poor.config["preset"] == "fine" and poor.config["seed"] == 3
    assert "HF-RDY-001" in refused.summary["reasons/codes"] and "no hand" in refused.summary["reasons/messages"]
    assert [offline_run.exit_code for offline_run in (good, poor, refused)] == [0, 0, 1]


def test_runs_are_filed_by_clip_with_names_and_tags(three_runs: dict[str, tuple[Path, OfflineRun]]) -> None:
    good, poor, refused = (three_runs[name][1].run for name in ("good", "poor", "refused"))
    assert (good["project"], good["job_type"], good["display_name"]) == ("hoifield", "fit", "good")
    assert good["run_group"] == poor["run_group"] != refused["run_group"]
    assert set(good["tags"]) == {"ok", "draft", "cpu"} and set(poor["tags"]) == {"degraded", "fine", "cpu"}


def test_the_curves_are_whole_and_keep_their_least_and_last_value(three_runs: dict[str, tuple[Path, OfflineRun]]) -> None:
    for name, scale in (("good", 1.0), ("poor", 2.0)):
        offline_run = three_runs[name][1]
        assert offline_run.steps() == list(range(2 * STAGE_STEPS))
        assert [row["final/total"] for row in offline_run.history[STAGE_STEPS:]] == [scale / (1 + step) for step in range(STAGE_STEPS, 2 * STAGE_STEPS)]
        assert offline_run.summary["final/total"] == {"min": scale / 20, "last": scale / 20}
    assert three_runs["refused"][1].history == []


def test_pictures_video_and_scene_are_in_the_files(three_runs: dict[str, tuple[Path, OfflineRun]]) -> None:
    run, offline_run = three_runs["good"]
    (files,) = (run / "wandb").glob("offline-run-*/files")
    pictured = {step: row for step, row in enumerate(offline_run.history) if any(key.startswith("pictures/") for key in row)}
    assert sorted(pictured) == [9, 19] and pictured[9]["pictures/coarse._type"] == "image-file"
    last = offline_run.history[-1]
    for key, kind, name in (("result/overlay", "video-file", "overlay.mp4"), ("result/scene", "object3D-file", "scene.glb")):
        assert last[f"{key}._type"] == kind
        assert (files / last[f"{key}.path"]).read_bytes() == (run / "result" / name).read_bytes()


def test_no_folder_and_no_host_name_is_written(three_runs: dict[str, tuple[Path, OfflineRun]], tmp_path: Path) -> None:
    record_failed_run(tmp_path / "failed")
    sync_run(tmp_path / "failed")
    contents = [read_offline_run(tmp_path / "failed").content, *(offline_run.content for _, offline_run in three_runs.values())]
    for content in contents:
        assert str(tmp_path).encode() not in content and b"/somewhere" not in content
        assert socket.gethostname().encode() + b"r" not in content
    assert str(tmp_path) in read_standing(tmp_path / "failed").reasons[0]["message"]


def test_a_killed_run_is_written_up_to_its_last_whole_step_and_whole_once_it_was_resumed(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    program = [sys.executable, recorded_runs.__file__, str(tmp_path / "run")]
    assert subprocess.run(program, capture_output=True, timeout=60).returncode == -signal.SIGKILL
    sync_run(tmp_path / "run")
    killed = read_offline_run(tmp_path / "run")
    assert killed.steps() == list(range(KILLED_AT)) and killed.summary["status"] == "killed"
    with open_run(tmp_path / "run") as run:
        log_steps(run, 10, 20, scale=3.0)
    sync_run(tmp_path / "run")
    resumed = read_offline_run(tmp_path / "run")
    assert resumed.steps() == list(range(20))
    assert resumed.history[9]["coarse/total"] == 1.0 / 10 and resumed.history[10]["final/total"] == 3.0 / 11
    assert resumed.run["run_id"] == killed.run["run_id"]


def test_a_sync_killed_in_the_middle_is_done_again_without_gap_or_duplicate(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    with open_run(tmp_path / "run") as run:
        log_steps(run, 0, 20)
    died = subprocess.run([sys.executable, "-c", DIES_WHILE_SYNCING, str(tmp_path / "run")], capture_output=True, timeout=60)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    assert len(list((tmp_path / "run" / "wandb").glob("offline-run-*"))) == 1
    sync_run(tmp_path / "run")
    assert read_offline_run(tmp_path / "run").steps() == list(range(20))


def test_the_reader_sees_a_gap_and_a_duplicate_where_there_is_one(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    with open_run(tmp_path / "run") as run:
        log_steps(run, 0, 4)
        log_steps(run, 6, 8)
    shutil.copytree(tmp_path / "run", tmp_path / "twice")
    sync_run(tmp_path / "run")
    assert read_offline_run(tmp_path / "run").steps() == [0, 1, 2, 3, 6, 7]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wandb_log, "discard_folder", lambda folder: None)
        sync_run(tmp_path / "twice")
        time.sleep(1.1)
        sync_run(tmp_path / "twice")
    with pytest.raises(ValueError, match="too many values"):
        read_offline_run(tmp_path / "twice")


def test_a_fit_that_fails_is_tracked_and_its_error_stays_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    (tmp_path / "clip.mp4").write_bytes(b"")

    def fail(video: Path, out: Path, *rest: object) -> None:
        with open_run(out) as run:
            log_steps(run, 0, 5)
            raise RefusedInput("HF-RES-013", "the field holds no surface", "label the object")

    monkeypatch.setattr("hoifield.pipelines.fit_video.fit_video", fail)
    with pytest.raises(RefusedInput, match="HF-RES-013"):
        FitCommand(video=tmp_path / "clip.mp4", out=tmp_path / "run", track="offline").run()
    failed = read_offline_run(tmp_path / "run")
    assert failed.steps() == list(range(5)) and failed.summary["status"] == "failed" and failed.exit_code == 1
    assert failed.summary["reasons/codes"] == "HF-RES-013" and "failed" in failed.run["tags"]


def test_a_server_that_never_answers_is_given_up_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setattr(wandb_log, "START_SECONDS", 3.0)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    with open_run(tmp_path / "run") as run:
        log_steps(run, 0, 3)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{mute.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(InputOutputFailure, match="HF-RUN-016"):
            sync_run(tmp_path / "run")
        assert time.monotonic() - started < 30.0
    assert sync_run(tmp_path / "run", "offline") == "offline"
    assert read_offline_run(tmp_path / "run").steps() == [0, 1, 2]


def test_the_summary_names_the_figures_that_result_json_promises() -> None:
    assert {part: SUMMARY_NUMBERS[part] for part in ("quality", "confidence", "seconds")} == {
        part: NESTED_KEYS[part] for part in ("quality", "confidence", "seconds")
    }


def test_every_run_has_the_same_summary_keys(tmp_path: Path) -> None:
    record_refused_run(tmp_path / "refused")
    record_failed_run(tmp_path / "failed")
    open_run(tmp_path / "killed").close()
    keys = [list(summarise(read_standing(tmp_path / name))) for name in ("refused", "failed", "killed")]
    assert keys[0] == keys[1] == keys[2]


def test_a_folder_without_a_run_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="HF-RUN-007"):
        sync_run(tmp_path)


def test_an_unreachable_server_means_offline_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
        started = time.monotonic()
        assert choose_mode("online") == "offline"
        assert time.monotonic() - started < 5.0


def test_a_mode_or_a_key_means_online_where_the_server_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        assert choose_mode(None) == "offline"
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        assert choose_mode(None) == "online" and choose_mode("offline") == "offline"
        monkeypatch.setenv("WANDB_MODE", "offline")
        assert choose_mode(None) == "offline" and choose_mode("online") == "online"


def test_an_unknown_mode_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "sideways")
    with pytest.raises(ConfigurationError, match="HF-RUN-010"):
        choose_mode(None)


def test_config_keys_are_flat_and_free_of_dots() -> None:
    assert flatten_config({"a.b": {"c": 1, "d.e": [1, 2]}, "f": None}) == {"a_b/c": 1, "a_b/d_e": "[1, 2]", "f": None}


def test_a_run_that_another_process_works_on_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    (tmp_path / "clip.mp4").write_bytes(b"")
    monkeypatch.setattr("hoifield.pipelines.fit_video.fit_video", lambda video, out, *rest: open_run(out))
    with open_run(tmp_path / "run"):
        with pytest.raises(Locked):
            FitCommand(video=tmp_path / "clip.mp4", out=tmp_path / "run", track="offline").run()
    assert not (tmp_path / "run" / "wandb").exists()
