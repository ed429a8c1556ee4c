"""The clips of each tier: recipes with seeds, so that anyone makes the same files."""

from dataclasses import dataclass
from itertools import product
from typing import Literal, assert_never, get_args

from hoifield.actors.skinned_model import Side
from hoifield.synthetic.clip_recipe import ClipRecipe
from hoifield.synthetic.motion import MotionName
from hoifield.synthetic.solid_texture import SkinName

TierName = Literal["nano", "core", "hard"]
TIER_NAMES: tuple[TierName, ...] = get_args(TierName)
GivenHelp = Literal["nothing", "stated camera", "masks and camera"]
"""What a fit is told beside the video. The stated camera is that of intrinsics.txt, whose focal length may be off on purpose."""
CATEGORIES = ("mug", "bottle", "bowl", "kettle", "knife", "toy-car")
"""The six rigid categories of DiffHOI's data."""
FIRST_INSTANCE = 1000
"""Instances from here on belong to the benchmark: nothing is ever trained on them."""
FIRST_HARD = 100
"""Number of the first clip of the hard tier, counted from there."""
CORE_SIZES = (256, 320, 384, 480)
SIDES: tuple[Side, ...] = get_args(Side)


@dataclass(frozen=True)
class BenchmarkClip:
    """One clip of a tier."""

    name: str
    recipe: ClipRecipe
    given: GivenHelp = "nothing"
    axis: str = ""
    """What makes a clip of the hard tier hard."""


def tier_clips(tier: TierName) -> tuple[BenchmarkClip, ...]:
    """The clips in their fixed order; names are unique and can be folder names."""
    match tier:
        case "nano":
            recipe = ClipRecipe(object="mug", motion="turn", frames=16, size=64, seed=1, frames_per_second=10.0, truth="full")
            return (BenchmarkClip("mug", recipe, "masks and camera"),)
        case "core":
            return _core_clips()
        case "hard":
            return _hard_clips()
        case _:
            assert_never(tier)


def _core_clips() -> tuple[BenchmarkClip, ...]:
    """Six categories in two skins and two motions; sides take turns, sizes and lengths vary."""
    skins: tuple[SkinName, ...] = ("textured", "plain")
    motions: tuple[tuple[MotionName, int], ...] = (("scan", 90), ("everyday", 60))
    clips = []
    for number, (category, skin, (motion, frames)) in enumerate(product(CATEGORIES, skins, motions)):
        side = SIDES[(number // 4 + number) % 2]
        frames = 120 if number % 12 == 0 else frames
        recipe = _recipe(category, number, motion=motion, frames=frames, size=CORE_SIZES[number * 7 // 4 % 4], side=side, skin=skin)
        clips.append(BenchmarkClip(f"{category}-{skin}-{motion}", recipe))
    return tuple(clips)


def _hard_clips() -> tuple[BenchmarkClip, ...]:
    """Three clips on each of eight axes; everything off an axis is as in the easier clips of the core."""
    clips: list[BenchmarkClip] = []

    def add(axis: str, category: str, given: GivenHelp = "nothing", **options: object) -> None:
        number = len(clips)
        recipe = _recipe(category, FIRST_HARD + number, side=SIDES[number % 2], **options)
        clips.append(BenchmarkClip(f"{axis}-{category}", recipe, given, axis))

    for category in ("ring", "knife", "bowl"):
        add("thin", category)
    for category in ("mug", "kettle", "toy-car"):
        add("glossy", category, skin="glossy")
    for category in ("can", "box", "bottle"):
        add("textureless", category, skin="plain", motion="everyday")
    for category in ("toy-car", "mug", "tool"):
        add("fast", category, frames=24, motion_blur=0.7)
    for category in ("ring", "toy-car", "can"):
        add("occluded", category, motion="scan", frames=90)
    for category, factor in (("mug", 1.3), ("box", 0.75), ("bottle", 1.5)):
        add("focal", category, "stated camera", stated_focal=factor)
    for category, second in (("bottle", "holding"), ("box", "beside"), ("bowl", "holding")):
        add("two-hands", category, second_hand=second)
    for category in ("mug", "kettle", "can"):
        add("leaves", category, leaves=0.25, frames=90)
    return tuple(clips)


def _recipe(category: str, number: int, **options: object) -> ClipRecipe:
    """A recipe of the benchmark: object, seed and hand are those of the number alone."""
    chosen: dict[str, object] = {"motion": "turn", "frames": 60, "size": 384, "truth": "full", **options}
    return ClipRecipe(object=category, instance=FIRST_INSTANCE + number, seed=FIRST_INSTANCE + number, **chosen)  # type: ignore[arg-type]
