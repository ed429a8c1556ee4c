"""The plain part of YAML reads as YAML; anything beyond it is refused with its line."""

import pytest

from hoifield.datasets.plain_yaml import parse_plain_yaml

META = """---
# a comment
extrinsics: '20200702_151821'
mano_calib:
- 20200709_140042_subject-01_right
num_frames: 72   # frames
serials:
  - '836212060125'
  - "839512060362"
ycb_ids: [3, 14]
betas: [0.5, -1.0e-3,
  .25, 1e2]
color:
  fx: 617.343
  depth:
    ppx: -3
empty:
nothing: null
"""


def test_calibration_files_are_read() -> None:
    assert parse_plain_yaml(META) == {
        "extrinsics": "20200702_151821",
        "mano_calib": ["20200709_140042_subject-01_right"],
        "num_frames": 72,
        "serials": ["836212060125", "839512060362"],
        "ycb_ids": [3, 14],
        "betas": [0.5, -0.001, 0.25, 100.0],
        "color": {"fx": 617.343, "depth": {"ppx": -3}},
        "empty": None,
        "nothing": None,
    }


def test_an_empty_document_is_an_empty_mapping() -> None:
    assert parse_plain_yaml("# nothing\n") == {}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: !!python/object/apply:os.system ['true']\n", 2),
        ("a: &anchor 1\n", 1),
        ("a: {b: 1}\n", 1),
        ("a: 1\n  b: 2\n", 2),
        ("a:\n\tb: 2\n", 2),
        ("just words\n", 1),
        ("- 1\n- 2\n", 1),
        ("a: |\n  text\n", 1),
    ],
)
def test_what_is_not_plain_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(ValueError, match=f"line {line} "):
        parse_plain_yaml(text)
