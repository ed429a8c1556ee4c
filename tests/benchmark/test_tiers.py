"""The tiers are what they say they are."""

from dataclasses import asdict
from typing import get_args

import pytest
import tyro

from hoifield.benchmark.method_row import METHOD_NAMES
from hoifield.benchmark.tiers import CATEGORIES, FIRST_INSTANCE, TIER_NAMES, tier_clips
from hoifield.cli.benchmark_command import AccuracyCommand


@pytest.mark.parametrize("tier", TIER_NAMES)
def test_names_are_unique_and_can_be_folders(tier):
    names = [clip.name for clip in tier_clips(tier)]
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").isalnum() for name in names)


def test_the_core_has_each_category_in_two_skins_and_two_motions():
    clips = tier_clips("core")
    assert len(clips) == 24
    assert {(c.recipe.object, c.recipe.skin, c.recipe.motion) for c in clips} == {
        (category, skin, motion) for category in CATEGORIES for skin in ("textured", "plain") for motion in ("scan", "everyday")
    }
    assert all(256 <= clip.recipe.size <= 480 and 60 <= clip.recipe.frames <= 120 for clip in clips)
    assert {clip.recipe.size for clip in clips} == {256, 320, 384, 480}
    for category in CATEGORIES:
        assert {clip.recipe.side for clip in clips if clip.recipe.object == category} == {"left", "right"}
    assert all(clip.given == "nothing" for clip in clips)


def test_the_hard_tier_has_three_clips_on_each_of_eight_axes():
    clips = tier_clips("hard")
    axes = [clip.axis for clip in clips]
    assert len(clips) == 24 and sorted(set(axes)) == ["fast", "focal", "glossy", "leaves", "occluded", "textureless", "thin", "two-hands"]
    assert all(axes.count(axis) == 3 for axis in axes)
    assert {clip.recipe.stated_focal for clip in clips if clip.given == "stated camera"} == {1.3, 0.75, 1.5}


def test_no_two_clips_share_an_object_or_a_seed_and_all_belong_to_the_benchmark():
    clips = tier_clips("core") + tier_clips("hard")
    assert len({clip.recipe.seed for clip in clips}) == len({clip.recipe.instance for clip in clips}) == 48
    assert min(clip.recipe.instance for clip in clips) >= FIRST_INSTANCE


def test_the_options_name_what_the_benchmark_has():
    command = tyro.cli(AccuracyCommand, args=[])
    assert command.methods == METHOD_NAMES
    assert get_args(AccuracyCommand.__annotations__["tier"]) == TIER_NAMES
    assert asdict(command)["clips"] == ()
