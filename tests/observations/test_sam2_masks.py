"""SAM 2 as a source of masks, against a stand-in with its published interface: what it is told, and what becomes of its answers."""

import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from hoifield.actors.skinned_model import PALM_KEYPOINTS
from hoifield.clip.clip import Clip
from hoifield.errors import HoifieldError, MissingDependency, MissingInput, RefusedInput, UsageError
from hoifield.observations.frame_masks import BACKGROUND, LEFT_HAND, NOT_OBJECT, OBJECT, RIGHT_HAND, UNLABELLED, FrameMasks
from hoifield.observations.hand_track import HandTrack
from hoifield.observations.sam2_masks import propagate_with_sam2, require_sam2

WIDTH, HEIGHT, FRAMES = 200, 150, 6
_ANGLES = np.radians([-150, -115, -95, -75, -55])
_OPEN_HAND = np.concatenate([[[0.0, 0.0]]] + [np.outer([0.5, 0.72, 0.86, 1.0], [np.cos(a), np.sin(a)]) for a in _ANGLES])


@dataclass(frozen=True)
class PlainClip(Clip):
    """Grey frames from memory."""

    def read_frames(self, frames: Sequence[int] | None = None, size: tuple[int, int] | None = None) -> Iterator[tuple[int, np.ndarray]]:
        for frame in range(self.frame_count) if frames is None else sorted(frames):
            yield frame, np.full(((self.height, self.width) if size is None else size[::-1]) + (3,), 20 * frame, np.uint8)


def clip(width: int = WIDTH, height: int = HEIGHT) -> PlainClip:
    return PlainClip(Path("grey"), "images", "grey", "0" * 64, width, height, np.arange(FRAMES) / 30, None)


def hand(side: str = "left", wrist: tuple[float, float] = (60.0, 130.0), unseen: Sequence[int] = (), scale: float = 1.0) -> HandTrack:
    keypoints = np.tile(scale * (_OPEN_HAND * 45 + wrist), (FRAMES, 1, 1))
    observed = ~np.isin(np.arange(FRAMES), unseen)
    keypoints[~observed] = np.nan
    zeros = np.zeros
    still = np.tile(np.eye(4), (FRAMES, 1, 1))
    presence = np.linspace(0.5, 0.9, FRAMES)
    return HandTrack(side, "anny", observed, keypoints, zeros(FRAMES), presence, still, zeros((FRAMES, 16, 3)), zeros(10), zeros((21, 3)))


def labels(rest: int = BACKGROUND, hand_label: int | None = None, object_columns: slice = slice(120, 150)) -> np.ndarray:
    picture = np.full((HEIGHT, WIDTH), rest, np.uint8)
    picture[60:90, object_columns] = OBJECT
    if hand_label is not None:
        picture[95:130, 52:70] = hand_label
    return picture


def write_masks(folder: Path, masks: dict[int, np.ndarray]) -> Path:
    folder.mkdir(exist_ok=True)
    for frame, picture in masks.items():
        cv2.imwrite(str(folder / f"{frame:06d}.png"), picture)
    return folder


@pytest.fixture
def weights(tmp_path: Path, sam2_stand_in: ModuleType) -> Path:
    return write_weights(tmp_path / "sam2.1_hiera_base_plus.pt", "sam2.1_hiera_b+")


def write_weights(path: Path, holds: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(holds, "")
    return path


def carry(weights: Path, masks: dict[int, np.ndarray], hands: tuple[HandTrack, ...] = ()) -> FrameMasks:
    return propagate_with_sam2(clip(), hands, write_masks(weights.parent / "masks", masks), None, weights)


def test_one_labelled_frame_in_the_middle_is_carried_to_both_ends(weights: Path, sam2_stand_in: ModuleType):
    drawn = labels(hand_label=LEFT_HAND)
    found = carry(weights, {2: drawn}, (hand(),))
    assert (found.labels == drawn).all()
    assert found.source == ("carried", "carried", "given", "carried", "carried", "carried")
    (predictor,) = sam2_stand_in.built
    assert predictor.passes == [(False, [2, 3, 4, 5]), (True, [2, 1, 0])]
    assert [picture.mean().round() for picture in predictor.pictures] == [20 * frame for frame in range(FRAMES)]


def test_labels_become_masks_of_their_own_number_and_nothing_is_asked_of_hands_that_are_nowhere(weights: Path, sam2_stand_in: ModuleType):
    drawn = labels(hand_label=RIGHT_HAND)
    carry(weights, {0: drawn, 4: labels(object_columns=slice(100, 130))}, (hand("right", unseen=range(FRAMES)),))
    prompts = sam2_stand_in.built[0].prompts
    assert set(prompts) == {OBJECT, RIGHT_HAND}
    assert (prompts[OBJECT][0] == (drawn == OBJECT)).all() and (prompts[RIGHT_HAND][0] == (drawn == RIGHT_HAND)).all()
    assert prompts[OBJECT][4].any() and not prompts[RIGHT_HAND][4].any(), "a frame with labels 0 to 3 only says that the hand is not there"


def test_where_only_the_object_is_labelled_the_palm_and_the_object_tell_the_hand(weights: Path, sam2_stand_in: ModuleType):
    found = carry(weights, {3: labels(NOT_OBJECT)}, (hand("left"),))
    points, on_it = sam2_stand_in.built[0].prompts[LEFT_HAND][3]
    assert np.allclose(points[:-1], hand().keypoints[3, PALM_KEYPOINTS]) and on_it.tolist() == [1] * 6 + [0]
    assert np.linalg.norm(points[-1] - (135, 75)) < 3, "the middle of the labelled object"
    assert all((found.labels[frame] == LEFT_HAND).sum() > 300 for frame in range(FRAMES))


def test_points_are_in_pixels_of_the_pictures_that_sam2_is_shown(weights: Path, sam2_stand_in: ModuleType):
    large = clip(10 * WIDTH, 10 * HEIGHT)
    masks = write_masks(weights.parent / "masks", {3: labels(NOT_OBJECT)})
    found = propagate_with_sam2(large, (hand(scale=10.0),), masks, None, weights)
    (predictor,) = sam2_stand_in.built
    assert predictor.pictures[0].shape == (768, 1024, 3) and found.labels.shape == (FRAMES, 480, 640)
    points, _ = predictor.prompts[LEFT_HAND][3]
    assert np.allclose(points[:-1], hand().keypoints[3, PALM_KEYPOINTS] * 5.12, atol=0.01)
    assert np.linalg.norm(points[-1] - np.array([135, 75]) * 5.12) < 10


def test_a_point_names_the_object_and_the_palm_what_it_is_not(weights: Path, sam2_stand_in: ModuleType):
    found = propagate_with_sam2(clip(), (hand(),), None, (140.0, 70.0, 1), weights)
    prompts = sam2_stand_in.built[0].prompts
    points, on_it = prompts[OBJECT][1]
    assert np.allclose(points, [(140, 70), *hand().keypoints[1, PALM_KEYPOINTS]]) and on_it.tolist() == [1] + [0] * 6
    assert prompts[LEFT_HAND][1][1].tolist() == [1] * 6 + [0]
    assert set(found.source) == {"carried"}
    assert (found.labels[:, 70, 140] == OBJECT).all() and (found.labels[:, 130, 60] == LEFT_HAND).all() and (found.labels[:, 5, 5] == BACKGROUND).all()


def test_left_and_right_keep_their_numbers_and_the_higher_score_wins_between_them(weights: Path):
    near = (hand("left", (70.0, 130.0)), hand("right", (90.0, 130.0)))
    found = propagate_with_sam2(clip(), near, None, (140.0, 40.0, 0), weights)
    row = found.labels[3, 130]
    assert row[70] == LEFT_HAND and row[90] == RIGHT_HAND
    assert row[79] == LEFT_HAND and row[80] == RIGHT_HAND, "the discs overlap; the border is half-way"


def test_a_hand_that_the_labelled_frame_does_not_see_is_asked_for_where_it_is_surest(weights: Path, sam2_stand_in: ModuleType):
    propagate_with_sam2(clip(), (hand(unseen=(0, 5)),), None, (140.0, 70.0, 0), weights)
    prompts = sam2_stand_in.built[0].prompts
    assert list(prompts[LEFT_HAND]) == [4] and prompts[LEFT_HAND][4][1].tolist() == [1] * 6
    assert len(prompts[OBJECT][0][0]) == 1


def test_what_the_user_labelled_stays_whatever_sam2_says(weights: Path):
    open_left = labels(NOT_OBJECT, object_columns=slice(120, 130))
    open_left[:, 140:] = UNLABELLED
    found = carry(weights, {0: labels(), 3: open_left}, ())
    assert (found.labels[0] == labels()).all()
    assert (found.labels[5] == OBJECT).sum() == 30 * 10
    assert (found.labels[3][open_left == OBJECT] == OBJECT).all() and not (found.labels[3][open_left == NOT_OBJECT] == OBJECT).any()
    assert found.source[0] == "given" and found.source[3] == "carried", "a third of the frame is not labelled"


def test_between_the_users_lines_sam2_decides_and_outside_them_it_cannot(weights: Path, sam2_stand_in: ModuleType, monkeypatch: pytest.MonkeyPatch):
    everywhere = np.full((HEIGHT, WIDTH), 5.0)
    monkeypatch.setattr(sam2_stand_in.StandInPredictor, "_score", lambda self, prompt: everywhere)
    drawn = labels(NOT_OBJECT)
    drawn[50:60] = UNLABELLED
    drawn[:10] = BACKGROUND
    found = carry(weights, {3: drawn})
    assert (found.labels[2] == OBJECT).all()
    assert (found.labels[3] == np.where(np.isin(drawn, (OBJECT, UNLABELLED)), OBJECT, BACKGROUND)).all()


def test_a_forearm_is_no_hand_away_from_the_users_own_frames(weights: Path):
    drawn = labels(hand_label=LEFT_HAND)
    drawn[130:, 52:70] = LEFT_HAND
    found = carry(weights, {2: drawn}, (hand(),))
    assert (found.labels[2] == drawn).all()
    assert (found.labels[4, 95:130, 52:70] == LEFT_HAND).all() and not (found.labels[4, 143:] == LEFT_HAND).any()


def test_confidence_follows_the_scores_and_is_none_where_there_is_no_object(weights: Path, sam2_stand_in: ModuleType):
    sure = carry(weights, {2: labels()})
    inside, outside, odds = 30 * 30, WIDTH * HEIGHT - 30 * 30, np.exp(-5.0)
    assert sure.object_confidence[2] == 1.0
    assert np.allclose(np.delete(sure.object_confidence, 2), inside / (1 + odds) / (inside + outside * odds / (1 + odds)))
    unsure = propagate_with_sam2(clip(), (), None, (140.0, 70.0, 1), weights)
    assert 0.3 < unsure.object_confidence.min() and unsure.object_confidence.max() <= 0.95
    absent = carry(weights, {2: labels(), 4: np.zeros((HEIGHT, WIDTH), np.uint8)})
    assert absent.object_confidence[5] == 0.0 and absent.object_confidence[0] > 0.5 and not absent.hand_confidence.any()


@pytest.mark.parametrize(("name", "config"), [("sam2_hiera_tiny", "sam2/sam2_hiera_t"), ("sam2.1_hiera_large", "sam2.1/sam2.1_hiera_l")])
def test_the_released_name_says_the_configuration(name: str, config: str, tmp_path: Path, sam2_stand_in: ModuleType):
    named = write_weights(tmp_path / f"{name}.pt", config.split("/")[1])
    carry(named, {0: labels()})
    assert sam2_stand_in.built[-1].config == f"configs/{config}.yaml"


def refusal(weights: Path, object_is_named: bool = True) -> HoifieldError:
    with pytest.raises(HoifieldError) as caught:
        require_sam2(weights, object_is_named)
    return caught.value


def test_what_cannot_work_is_refused_before_any_work(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    require_sam2(weights, True)
    assert isinstance(error := refusal(weights, False), UsageError) and error.code == "HF-MSK-013"
    assert isinstance(error := refusal(tmp_path / "sam2.1_hiera_tiny.pt"), MissingInput) and error.code == "HF-MSK-010"
    renamed = write_weights(tmp_path / "weights.pt", "sam2.1_hiera_t")
    assert isinstance(error := refusal(renamed), RefusedInput) and error.code == "HF-MSK-011" and "weights.pt" in error.cause
    (tmp_path / "sam2_hiera_small.pt").write_bytes(b"half of it")
    assert isinstance(error := refusal(tmp_path / "sam2_hiera_small.pt"), RefusedInput) and "10 bytes" in error.cause
    monkeypatch.setitem(sys.modules, "sam2", None)
    monkeypatch.delitem(sys.modules, "sam2.build_sam")
    assert isinstance(error := refusal(weights), MissingDependency) and error.code == "HF-MSK-012" and error.exit_code == 69


def test_weights_that_belong_to_another_size_are_refused_by_name(tmp_path: Path, sam2_stand_in: ModuleType):
    mistaken = write_weights(tmp_path / "sam2.1_hiera_tiny.pt", "sam2.1_hiera_l")
    with pytest.raises(RefusedInput, match="HF-MSK-011.*state_dict"):
        carry(mistaken, {0: labels()})


def test_a_point_outside_the_clip_is_refused(weights: Path):
    with pytest.raises(RefusedInput, match="HF-MSK-008"):
        propagate_with_sam2(clip(), (hand(),), None, (140.0, 70.0, FRAMES), weights)


def test_the_package_itself_takes_the_same_calls(tmp_path: Path):
    """With untrained weights: that every call fits and every frame comes back. Skips without sam2 (about a minute on one core)."""
    build_sam = pytest.importorskip("sam2.build_sam", reason="sam2 is not installed")
    torch = pytest.importorskip("torch")
    named = tmp_path / "sam2.1_hiera_tiny.pt"
    torch.manual_seed(0)
    untrained = build_sam.build_sam2_video_predictor("configs/sam2.1/sam2.1_hiera_t.yaml", None, device="cpu")
    torch.save({"model": untrained.state_dict()}, named)
    short, seen = replace(clip(), time_s=np.arange(2) / 30), hand()
    seen = replace(seen, observed=seen.observed[:2], keypoints=seen.keypoints[:2], presence=seen.presence[:2])
    masks = write_masks(tmp_path / "masks", {1: labels(NOT_OBJECT)})
    found = propagate_with_sam2(short, (seen,), masks, None, named)
    assert found.labels.shape == (2, HEIGHT, WIDTH) and found.source == ("carried", "given")
    assert ((found.labels[1] == OBJECT) == (labels() == OBJECT)).all()
    assert (np.isfinite(found.object_confidence) & (found.object_confidence <= 1)).all()
