"""Truth wherever it lies: the layout of a folder is recognised, and read."""

from pathlib import Path
from typing import assert_never

from hoifield.datasets.arctic import ArcticView, find_arctic_view, read_arctic
from hoifield.datasets.dexycb import DexYcbView, find_dexycb_view, read_dexycb
from hoifield.datasets.ho3d import Ho3dSequence, find_ho3d_sequence, read_ho3d
from hoifield.datasets.hoi4d import Hoi4dClip, find_hoi4d_clip, read_hoi4d
from hoifield.datasets.truth import Truth, TruthFolder, find_truth_folder, read_truth_folder
from hoifield.errors import MissingInput

TruthLayout = TruthFolder | Ho3dSequence | DexYcbView | Hoi4dClip | ArcticView
"""A folder of the project's own, or a part of a real set."""


def recognise_layout(path: Path) -> TruthLayout:
    """What `path` is. Raises MissingInput (HF-SET-001) for a folder of no known layout."""
    found: TruthLayout | None = (
        find_truth_folder(path) or find_ho3d_sequence(path) or find_dexycb_view(path) or find_hoi4d_clip(path) or find_arctic_view(path)
    )
    if found is not None:
        return found
    raise MissingInput(
        "HF-SET-001",
        f"{path} holds neither a truth folder (result.json) nor a part of HO3D-v3, DexYCB, HOI4D or ARCTIC",
        "name a folder written by `hoifield synth`, or one that docs/real_sets.md names",
    )


def read_truth(path: Path) -> Truth:
    """The truth that `path` names. Errors of `recognise_layout` and of each reader."""
    layout = recognise_layout(path)
    match layout:
        case TruthFolder():
            return read_truth_folder(layout)
        case Ho3dSequence():
            return read_ho3d(layout)
        case DexYcbView():
            return read_dexycb(layout)
        case Hoi4dClip():
            return read_hoi4d(layout)
        case ArcticView():
            return read_arctic(layout)
        case _:
            assert_never(layout)
