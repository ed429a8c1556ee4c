"""Skins are hard in the way that they are named for: nothing to match, too much that matches, or light that does not stick to the surface."""

from typing import get_args

import numpy as np
import pytest

from hoifield.errors import UsageError
from hoifield.synthetic.appearance import FILL_DIRECTION, HAND, KEY_DIRECTION, OBJECT, SLEEVE, Look, shade, surface_colours
from hoifield.synthetic.clip_recipe import ClipRecipe
from hoifield.synthetic.solid_texture import PATTERN_HEIGHT, PatternName, plain_colours, repeated_colours, skin_colours, solid_colours

POINTS = np.random.default_rng(0).uniform(-0.05, 0.05, size=(3000, 3))
TOWARDS_CAMERA = np.array([0.0, 0.0, -1.0])


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return points @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])


def agreement(a: np.ndarray, b: np.ndarray) -> float:
    return float((np.abs(a - b).max(1) < 0.1).mean())


def mirror_normal(direction: np.ndarray) -> np.ndarray:
    half = direction / np.linalg.norm(direction) + TOWARDS_CAMERA
    return half / np.linalg.norm(half)


def light_of(normals: np.ndarray, part: int, skin: str) -> np.ndarray:
    count = len(normals)
    return shade(np.full((count, 3), 0.2), normals, np.ones(count), np.ones(count), np.full(count, part), skin)


def test_the_textured_skin_is_the_solid_texture() -> None:
    np.testing.assert_array_equal(skin_colours(POINTS, "textured", 5), solid_colours(POINTS, 5))


def test_a_plain_skin_is_one_colour_with_a_faint_grain() -> None:
    drawn = [plain_colours(POINTS, seed) for seed in range(12)]
    for colours in drawn:
        assert 0.0005 < colours.std(0).max() < 0.01
        assert colours.min() >= 0 and colours.max() <= 1
    assert len({tuple(np.round(colours.mean(0), 2)) for colours in drawn}) >= 5
    np.testing.assert_array_equal(skin_colours(POINTS, "glossy", 3), skin_colours(POINTS, "plain", 3))


def test_a_repeated_skin_looks_the_same_two_cells_on() -> None:
    ring = POINTS[(np.hypot(POINTS[:, 0], POINTS[:, 1]) > 0.0245) & (np.hypot(POINTS[:, 0], POINTS[:, 1]) < 0.0475)]
    kinds = set()
    for seed in range(12):
        colours = repeated_colours(ring, seed)
        assert agreement(colours, repeated_colours(turned(ring, 360 / 8), seed)) > 0.99
        assert agreement(colours, repeated_colours(ring + [0, 0, 2 * PATTERN_HEIGHT], seed)) > 0.99
        assert colours.std(0).max() > 0.08, "the two colours differ"
        half_on = agreement(colours, repeated_colours(ring + [0, 0, 0.5 * PATTERN_HEIGHT], seed))
        around = agreement(colours, repeated_colours(turned(ring, 360 / 16), seed))
        assert half_on < 0.9
        kinds.add((half_on < 0.1, around < 0.1))
        assert agreement(solid_colours(ring, seed), solid_colours(turned(ring, 360 / 8), seed)) < 0.4
    assert len(kinds) == len(get_args(PatternName))


@pytest.mark.parametrize("lamp", [KEY_DIRECTION, FILL_DIRECTION], ids=["key", "fill"])
def test_a_glossy_object_throws_the_lamps_back_and_nothing_else_does(lamp: np.ndarray) -> None:
    at = mirror_normal(lamp)
    aside = at + 0.45 * np.cross(at, [0.0, 1.0, 0.0])
    normals = np.stack([at, aside / np.linalg.norm(aside)])
    glossy, matt = light_of(normals, OBJECT, "glossy"), light_of(normals, OBJECT, "plain")
    assert (glossy[0] - matt[0]).min() > 0.25
    assert np.abs(glossy[1] - matt[1]).max() < 0.05
    for part in (HAND, SLEEVE):
        np.testing.assert_array_equal(light_of(normals, part, "glossy"), light_of(normals, part, "plain"))


def test_a_lamp_in_the_shade_is_not_thrown_back() -> None:
    normals = mirror_normal(KEY_DIRECTION)[None]
    dark = shade(np.full((1, 3), 0.2), normals, np.zeros(1), np.zeros(1), np.full(1, OBJECT), "glossy")
    assert dark.max() < 0.02


def test_the_skin_changes_the_object_and_not_the_hand() -> None:
    part = np.repeat([HAND, OBJECT, SLEEVE], 1000)
    textured, plain = (surface_colours(part, POINTS, np.zeros((3000, 2)), Look.of(4, skin)) for skin in ("textured", "plain"))
    np.testing.assert_array_equal(textured[part != OBJECT], plain[part != OBJECT])
    assert np.abs(textured - plain)[part == OBJECT].mean() > 0.1


def test_an_unknown_skin_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="HF-SYN-009"):
        ClipRecipe(skin="wooden")
