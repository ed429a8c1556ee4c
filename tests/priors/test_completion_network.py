"""The network that completes shapes: its cubes lose nothing, untaught it believes the carving, and taught it was kept whole."""

import shutil
from pathlib import Path

import pytest
import torch

from hoifield.errors import RefusedInput
from hoifield.priors.completion_network import CHANNELS, CLIPPED, VOLUME_SHAPE, CompletionNetwork, gather_cubes, spread_cubes
from hoifield.priors.completion_weights import COMPLETION, load_completion, read_completion
from hoifield.priors.pretrained import PLACES

KEPT = next(place for place in PLACES if (place / COMPLETION).is_file())


def random_channels(volumes: int) -> torch.Tensor:
    return torch.rand((volumes, CHANNELS, *VOLUME_SHAPE), generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_cubes_are_taken_apart_as_they_were_put_together() -> None:
    channels = random_channels(2)
    cubes = gather_cubes(channels)
    assert cubes.shape == (2, 8 * CHANNELS, *(side // 2 for side in VOLUME_SHAPE))
    assert torch.equal(spread_cubes(cubes[:, :8]), channels[:, 0])
    assert torch.equal(cubes[0, 8:16, 3, 4, 5], channels[0, 1, 6:8, 8:10, 10:12].flatten())


def test_untaught_it_says_what_was_carved() -> None:
    channels = random_channels(1)
    with torch.no_grad():
        said = CompletionNetwork()(channels)
    assert said.shape == (1, *VOLUME_SHAPE)
    assert torch.allclose(said - CLIPPED * channels[:, 0], torch.zeros(()), atol=0.5), "but for the last layer's bias"


def test_the_kept_weights_are_small_and_say_more_than_the_carving() -> None:
    assert (KEPT / COMPLETION).stat().st_size < 20e6
    channels = random_channels(1)
    with torch.no_grad():
        said = load_completion()(channels)
    assert torch.isfinite(said).all()
    assert (said - CLIPPED * channels[:, 0]).abs().mean() > 0.2


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    for name in (COMPLETION, Path(COMPLETION).with_suffix(".json").name):
        shutil.copy(KEPT / name, tmp_path)
    damaged = bytearray((tmp_path / COMPLETION).read_bytes())
    damaged[-1] ^= 1
    (tmp_path / COMPLETION).write_bytes(damaged)
    with pytest.raises(RefusedInput, match="HF-NET-002"):
        read_completion(tmp_path / COMPLETION)
