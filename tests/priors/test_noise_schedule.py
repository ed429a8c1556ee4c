"""The schedule of noise: what is added can be taken away, nothing is left at the end, and a walk led by the truth arrives at it."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from hoifield.priors.noise_schedule import add_noise, guided, noise, noise_from, picture_from, signal, velocity, walk_back


def pictures(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, 5, 8, 8, generator=generator), torch.randn(3, 5, 8, 8, generator=generator)


@given(st.floats(0, 1))
def test_the_squares_of_both_shares_sum_to_one(time: float) -> None:
    at = torch.tensor([time], dtype=torch.float64)
    assert torch.allclose(signal(at) ** 2 + noise(at) ** 2, torch.ones(1, dtype=torch.float64))


def test_nothing_of_the_picture_is_left_at_the_end() -> None:
    picture, drawn = pictures(0)
    assert torch.allclose(add_noise(picture, drawn, torch.ones(3)), drawn, atol=1e-6)
    assert torch.equal(add_noise(picture, drawn, torch.zeros(3)), picture)


@given(st.floats(0, 1), st.integers(0, 100))
def test_the_velocity_tells_picture_and_noise(time: float, seed: int) -> None:
    picture, drawn = pictures(seed)
    at = torch.full((3,), time)
    noisy, said = add_noise(picture, drawn, at), velocity(picture, drawn, at)
    assert torch.allclose(picture_from(noisy, said, at), picture, atol=1e-5)
    assert torch.allclose(noise_from(noisy, said, at), drawn, atol=1e-5)


def led_by(picture: torch.Tensor, drawn: torch.Tensor):
    return lambda noisy, time: velocity(picture, drawn, time)


def test_a_walk_led_by_the_truth_arrives_and_one_led_astray_does_not() -> None:
    picture, drawn = pictures(1)
    assert torch.allclose(walk_back(drawn, led_by(picture, drawn), 1.0, 7), picture, atol=1e-4)
    assert not torch.allclose(walk_back(drawn, led_by(picture + 1, drawn), 1.0, 7), picture, atol=0.5)


def test_what_is_known_stays() -> None:
    picture, drawn = pictures(2)
    known = torch.rand(3, 1, 8, 8) > 0.5
    found = walk_back(drawn, led_by(picture + 1, drawn), 1.0, 7, lambda believed: torch.where(known, picture, believed))
    assert torch.equal(found[known.expand_as(found)], picture[known.expand_as(found)])
    assert torch.allclose(found[~known.expand_as(found)], (picture + 1)[~known.expand_as(found)], atol=1e-4)


def test_guidance_goes_beyond_what_the_hint_says() -> None:
    one, other = torch.ones(1), torch.zeros(1)
    assert float(guided(lambda *_: one, lambda *_: other, 1.0)(one, one)) == 1
    assert float(guided(lambda *_: one, lambda *_: other, 2.5)(one, one)) == 2.5
