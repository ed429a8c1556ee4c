"""Teaching and scoring the geometry prior, small: it learns, goes on, is found again by its card, and scores say what they mean."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from launched_processes import launch_two

from hoifield.actors.choose_actor import load_actor
from hoifield.cli.main import run
from hoifield.errors import ConfigurationError, MissingInput, RefusedInput
from hoifield.pipelines import teach_geometry_prior as teaching
from hoifield.pipelines.score_geometry_prior import PriorScoring, cover_overlap, normal_error_deg, score_geometry_prior
from hoifield.pipelines.teach_geometry_prior import load_posed_scenes, make_lesson, teach_geometry_prior
from hoifield.priors.geometry_prior import PRIOR, read_geometry_prior, settled
from hoifield.priors.noise_schedule import picture_from
from hoifield.priors.train_network import CHECKPOINT, TrainingSettings
from hoifield.priors.training_processes import TrainingProcesses
from hoifield.synthetic.geometry_lessons import PosedScene, draw_lessons
from hoifield.synthetic.held_scenes import SceneRecipe, make_held_scenes
from hoifield.tensor_files import read_tensors

SETTINGS = TrainingSettings(steps=6, peak_rate=1e-3, average=0.5, reduced_precision=False)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    make_held_scenes(folder, load_actor("anny", "right"), range(2), SceneRecipe(("box", "can"), (1, 999), False, 0.004), lambda line: None)
    return folder


@pytest.fixture(scope="module")
def posed(scenes: Path) -> tuple[PosedScene, ...]:
    return load_posed_scenes(scenes)


def test_it_learns_stops_and_goes_on(scenes: Path, tmp_path: Path) -> None:
    whole = teach_geometry_prior(scenes, tmp_path / "whole", SETTINGS, 2, 0, float("inf"), lambda line: None)
    pieces = None
    while pieces is None:
        pieces = teach_geometry_prior(scenes, tmp_path / "pieces", SETTINGS, 2, 0, 0.0, lambda line: None)
    assert whole is not None and whole.name == PRIOR
    assert whole.read_bytes() == pieces.read_bytes()
    card = read_geometry_prior(whole).card
    assert card["scenes"] == 2 and card["categories"] == ["box", "can"] and card["steps"] == 6
    damaged = bytearray(whole.read_bytes())
    damaged[-1] ^= 1
    whole.write_bytes(damaged)
    with pytest.raises(RefusedInput, match="HF-NET-002"):
        read_geometry_prior(whole)


def test_a_lesson_hides_hints_and_asks_for_what_lies_behind_the_noise(posed: tuple[PosedScene, ...]) -> None:
    batch = draw_lessons(posed, np.random.default_rng(0), 40)
    lesson = make_lesson(batch, np.random.default_rng(1), 40)
    assert torch.allclose(picture_from(lesson.noisy, lesson.velocity, lesson.time), batch.object_picture, atol=1e-5)
    hidden = (lesson.hand == 0).flatten(1).all(1).float().mean()
    assert 0.0 < hidden < 0.5 and 0.1 < (lesson.category == 0).float().mean() < 0.9


def test_the_shares_of_several_processes_are_the_lesson_of_one(posed: tuple[PosedScene, ...]) -> None:
    def taken(share: slice) -> list[torch.Tensor]:
        generator = np.random.default_rng(3)
        return list(vars(make_lesson(draw_lessons(posed, generator, 6, share), generator, 6, share)).values())

    whole, shares = taken(slice(0, 6)), [taken(TrainingProcesses(number, 3).share(6)) for number in range(3)]
    assert all(torch.equal(one, torch.cat(parts)) for one, *parts in zip(whole, *shares, strict=True))
    assert not torch.equal(whole[0][:2], shares[1][0])


def largest_difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    return max(float((one[name].float() - other[name].float()).abs().max()) for name in one)


def test_two_processes_teach_what_one_teaches(scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    words = ["prior", "train", str(scenes), "--steps", "4", "--batch", "4"]
    launched = launch_two(["-m", "hoifield", *words, "--out", str(two)], tmp_path)
    assert launched.returncode == 0, launched.stderr
    assert launched.stdout.splitlines() == ["2 scenes", f"weights: {two / PRIOR}"]
    assert run([*words, "--out", str(one)]) == 0
    # what two processes would come to if both had the first half of each lesson
    monkeypatch.setattr(teaching, "find_processes", lambda: TrainingProcesses(0, 2))
    assert run([*words, "--out", str(tmp_path / "half")]) == 0
    alone, together, half = (read_tensors(folder / PRIOR)[0] for folder in (one, two, tmp_path / "half"))
    assert largest_difference(alone, together) < 5e-4 < 0.1 * largest_difference(alone, half)
    assert read_geometry_prior(two / PRIOR).card["batch"] == 4 and not (two / CHECKPOINT).exists()


def test_a_batch_that_the_processes_cannot_share_is_refused_before_scenes_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(teaching, "find_processes", lambda: TrainingProcesses(0, 2))
    with pytest.raises(ConfigurationError, match="HF-TRN-003"):
        teach_geometry_prior(tmp_path / "none", tmp_path, SETTINGS, 3, 0, 0.0, lambda line: None)


def test_scores_of_the_truth_itself_are_perfect_and_of_another_are_not(posed: tuple[PosedScene, ...]) -> None:
    batch = draw_lessons(posed, np.random.default_rng(2), 6)
    truth = batch.object_picture
    assert torch.allclose(settled(truth), truth, atol=1e-5)
    assert (cover_overlap(truth, truth) == 1).all() and normal_error_deg(truth, truth).max() < 0.1
    assert (cover_overlap(truth, truth.roll(1, 0)) < 0.95).all()


def test_an_untaught_prior_scores_badly_and_says_everything(scenes: Path, posed: tuple[PosedScene, ...], tmp_path: Path) -> None:
    weights = teach_geometry_prior(scenes, tmp_path, SETTINGS, 2, 0, float("inf"), lambda line: None)
    assert weights is not None
    scores = score_geometry_prior(read_geometry_prior(weights), posed, PriorScoring(pictures=2, samples=1, steps=2))
    assert scores["schema"] == "hoifield.prior/1" and set(scores["told"]) == {"hand_and_category", "hand", "nothing"}
    told = scores["told"]["hand_and_category"]
    assert told["mask_iou_best"] < 0.6 and len(told["denoising_mse"]) == 10
    assert sum(row["pixels"] for row in told["calibration"]) == 2 * 64 * 64
    json.dumps(scores, allow_nan=False)


def test_a_folder_without_scenes_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="HF-PRI-001"):
        load_posed_scenes(tmp_path)


def test_the_commands(scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = ["prior", "train", str(scenes), "--out", str(tmp_path), "--steps", "2", "--batch", "2"]
    assert run([*train, "--seconds", "0"]) == 0 and "the same command goes on" in capsys.readouterr().out
    assert run(train) == 0 and run([*train, "--steps", "3"]) == 65
    weights = str(tmp_path / PRIOR)
    assert run(["prior", "sample", str(scenes), "--weights", weights, "--out", str(tmp_path / "s.png"), "--rows", "1", "--samples", "1"]) == 0
    assert (tmp_path / "s.png").read_bytes()[:4] == b"\x89PNG"
    evaluate = ["prior", "evaluate", str(scenes), "--weights", weights, "--pictures", "1", "--samples", "1", "--json", str(tmp_path / "s.json")]
    assert run(evaluate) == 0
    assert json.loads((tmp_path / "s.json").read_text())["pictures"] == 1
    assert run(["prior", "train", str(tmp_path / "none")]) == 66 and run(["prior", "train", str(scenes), "--steps", "0"]) == 78
