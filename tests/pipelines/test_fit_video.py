"""The main job's choices and its log; whole clips are fitted elsewhere."""

from pathlib import Path

import pytest
import torch

from hoifield.errors import MissingDependency, RefusedInput
from hoifield.fitting.stage import FieldStage, PlacementStage
from hoifield.pipelines.choose_device import choose_device
from hoifield.pipelines.fit_observations import LOG_EVERY, RunListener
from hoifield.pipelines.fit_video import FitVideoConfig, choose_imagination, choose_preset
from hoifield.pipelines.observe import ObserveConfig
from hoifield.runlog.run_folder import RunFolder, read_journal
from hoifield.runlog.stop_request import StopRequest
from hoifield.storage import read_json_lines

STAGES = (FieldStage("coarse", 60, ()), PlacementStage("placement", 10), FieldStage("final", 40, ()))


def config(**options) -> FitVideoConfig:  # type: ignore[no-untyped-def]
    return FitVideoConfig(ObserveConfig(), **options)


def test_automatic_is_a_draft_and_named_numbers_of_frames_are_kept():
    assert choose_preset(config()).name == "draft"
    assert choose_preset(config(preset="fine", most_frames=9)).most_frames == 9
    assert choose_preset(config(seed=4)).scene.seed == 4


def test_a_device_that_is_not_there_is_refused_by_code(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MissingDependency) as refusal:
        choose_device("cuda")
    assert refusal.value.code == "HF-DEV-001" and refusal.value.exit_code == 69
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")


def logged(folder: Path, begin: int) -> list[int]:
    """Steps in the log of a run that begins with stage number `begin`, as a resumed run does."""
    announced: list[tuple[str, int, int]] = []
    pictured: list[tuple[str, int]] = []
    with RunFolder.open(folder, {}) as run:
        keep_picture = lambda stage, step, scene: pictured.append((stage, step))  # noqa: E731
        listener = RunListener(run, STAGES, StopRequest(), lambda *told: announced.append(told), keep_picture)
        for stage in STAGES[begin:]:
            listener.stage_started(stage.name, stage.steps, 0)
            for step in range(stage.steps):
                listener.step_done(stage.name, step, {"total": float(step)})
            listener.stage_ended(stage.name, None)  # type: ignore[arg-type]
    assert pictured == [("coarse", 59), ("placement", 69), ("final", 109)][begin:]
    assert [(event["stage"], event["step"]) for event in read_journal(folder) if event["event"] == "stage done"] == pictured
    assert announced[-1] == ("final", 40, 40)
    return sorted({line["step"] for line in read_json_lines(folder / "metrics.jsonl")})


def test_some_steps_are_logged_and_the_last_of_each_stage_always(tmp_path: Path):
    assert LOG_EVERY == 25
    assert logged(tmp_path, 0) == [0, 25, 50, 59, 60, 69, 70, 95, 109]


def test_a_run_resumed_in_a_later_stage_counts_on_from_the_stages_before(tmp_path: Path):
    assert logged(tmp_path, 2) == [70, 95, 109]


def test_the_prior_is_asked_only_when_told_to_and_a_word_it_does_not_know_is_said(tmp_path: Path):
    said: list[str] = []
    assert choose_imagination(config(prior="auto"), said.append) is None and choose_imagination(config(prior="off"), said.append) is None
    asked = choose_imagination(config(prior="on", category="Cup"), said.append)
    assert asked is not None and asked.category == "mug" and said == []
    unknown = choose_imagination(config(prior="on", category="umbrella"), said.append)
    assert unknown is not None and unknown.category == "unknown" and "no 'umbrella'" in said[0]
    (tmp_path / "other.safetensors").write_bytes(b"no weights")
    with pytest.raises(RefusedInput, match="HF-NET-002"):
        choose_imagination(config(prior=tmp_path / "other.safetensors"), said.append)
