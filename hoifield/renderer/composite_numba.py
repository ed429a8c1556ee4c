"""Compositing of all entities, together and each alone, in one pass over the rays: numba, with a hand-written backward.

The readable twin is `composite.composite_entities_torch`. With w = T h(o) i rho the weight of an entity at a sample (o the optical depth of
the interval i, T what is left before it, h(o) = (1 - exp(-o)) / o) and G the gradient to w, the gradient to a density is
T h i G + i (T h'(o) i sum(rho G) - what the later weights and the background lose).
"""

import numba
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from hoifield.fields.block_layers import FAST, fast_exp
from hoifield.fields.encode_numba import match_threads

GROUP = 32
"""Rays of one parallel task."""
ZERO = np.float32(0.0)
ONE = np.float32(1.0)
HALF = np.float32(0.5)
SMALL_DEPTH = np.float32(2e-2)
"""Below, (1 - exp(-x)) / x and its slope are taken from their series."""


def composite_numba(
    distance: Float[Tensor, "near"],
    colour: Float[Tensor, "near 3"],
    slot: Int[Tensor, "ray sample entity"],
    behind: Float[Tensor, "ray 3"],
    intervals: Float[Tensor, "ray sample"],
    width: float,
) -> tuple[Tensor, ...]:
    """Colour, alone colours, alone opacities, entity weights, background and sample weights, as of `composite.composite_entities`."""
    return _CompositeEntities.apply(distance, colour, slot, behind, intervals, width)


class _CompositeEntities(torch.autograd.Function):
    @staticmethod
    def forward(ctx, distance, colour, slot, behind, intervals, width):
        rays, samples, entities = slot.shape
        colours = colour.detach().contiguous()
        tensors = (distance.detach().contiguous(), colours, slot, behind.detach().contiguous(), intervals)
        outputs = (
            torch.empty(rays, 3), torch.empty(rays, entities, 3), torch.empty(rays, entities), torch.empty(rays, entities),
            torch.empty(rays), torch.empty(rays, samples, entities),
        )  # fmt: skip
        match_threads()
        _forward(*_arrays((*tensors, *outputs)), np.float32(width))  # type: ignore[call-arg]
        ctx.save_for_backward(*tensors)
        ctx.width = width
        ctx.mark_non_differentiable(outputs[5])
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx, *incoming):
        tensors: tuple[Tensor, ...] = ctx.saved_tensors
        outputs = (torch.empty_like(tensors[0]), torch.empty_like(tensors[1]), torch.empty_like(tensors[3]))
        match_threads()
        _backward(*_arrays((*tensors, *incoming[:5], *outputs)), np.float32(ctx.width))  # type: ignore[call-arg]
        return outputs[0], outputs[1], None, outputs[2], None, None


def _arrays(tensors: tuple[Tensor, ...]) -> list[np.ndarray]:
    return [tensor.contiguous().numpy() for tensor in tensors]


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _densities(distance, slots, width, density):
    """Density (1/m) of the samples of a ray, [entity][sample]; 0 where there is none."""
    samples, entities = slots.shape
    for e in range(entities):
        for s in range(samples):
            at = slots[s, e]
            d = distance[at] if at >= 0 else np.float32(np.inf)
            tail = HALF * fast_exp(-abs(d) / width)
            density[e, s] = (tail if d >= ZERO else ONE - tail) / width


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _attenuate(total, interval, optical, passed, share):
    """Optical depths of a ray, what is left before each sample, and (1 - exp(-o)) / o; gives what is left behind the last."""
    samples = interval.size
    depth = ZERO
    for s in range(samples):
        optical[s] = total[s] * interval[s]
        passed[s] = depth
        depth += optical[s]
    for s in range(samples):
        o = optical[s]
        series = ONE - o * (HALF - o * (np.float32(1 / 6) - o * np.float32(1 / 24)))
        passed[s] = fast_exp(-passed[s])
        share[s] = series if o < SMALL_DEPTH else (ONE - fast_exp(-o)) / max(o, SMALL_DEPTH)
    return fast_exp(-depth)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", parallel=True)
def _forward(distance, colour, slot, behind, intervals, out_colour, alone_colour, alone_opacity, entity_weight, background, weight, width):
    rays, samples, entities = slot.shape
    for task in numba.prange((rays + GROUP - 1) // GROUP):
        density, total = np.empty((entities, samples), np.float32), np.empty(samples, np.float32)
        optical, passed, share = np.empty(samples, np.float32), np.empty(samples, np.float32), np.empty(samples, np.float32)
        for ray in range(task * GROUP, min(rays, (task + 1) * GROUP)):
            interval = intervals[ray]
            _densities(distance, slot[ray], width, density)
            for s in range(samples):
                total[s] = ZERO
                for e in range(entities):
                    total[s] += density[e, s]
            left = _attenuate(total, interval, optical, passed, share)
            background[ray] = left
            for c in range(3):
                out_colour[ray, c] = left * behind[ray, c]
            for e in range(entities):
                entity_weight[ray, e] = ZERO
                for s in range(samples):
                    w = passed[s] * share[s] * interval[s] * density[e, s]
                    weight[ray, s, e] = w
                    entity_weight[ray, e] += w
                    at = slot[ray, s, e]
                    if at >= 0:
                        for c in range(3):
                            out_colour[ray, c] += w * colour[at, c]
            for e in range(entities):
                left = _attenuate(density[e], interval, optical, passed, share)
                alone_opacity[ray, e] = ONE - left
                for c in range(3):
                    alone_colour[ray, e, c] = left * behind[ray, c]
                for s in range(samples):
                    at = slot[ray, s, e]
                    if at >= 0:
                        w = passed[s] * share[s] * interval[s] * density[e, s]
                        for c in range(3):
                            alone_colour[ray, e, c] += w * colour[at, c]


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _to_optical(optical, passed, share, interval, pull, lost, out):
    """Gradient to the optical depths: `pull` is the sum of density x gradient to the weight, `lost` what the background would lose."""
    for k in range(interval.size):
        s = interval.size - 1 - k
        o = optical[s]
        # The slope of the share: (exp(-o) - share) / o.
        slope = (ONE - o * share[s] - share[s]) / max(o, SMALL_DEPTH)
        if o < SMALL_DEPTH:
            slope = -HALF + o * (np.float32(1 / 3) - o * (np.float32(1 / 8) - o * np.float32(1 / 30)))
        weighted = passed[s] * interval[s] * pull[s]
        out[s] = weighted * slope - lost
        lost += weighted * share[s]


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", parallel=True)
def _backward(
    distance, colour, slot, behind, intervals, to_colour, to_alone_colour, to_alone_opacity, to_entity_weight, to_background,
    out_distance, out_colour, out_behind, width,
):  # fmt: skip
    rays, samples, entities = slot.shape
    for task in numba.prange((rays + GROUP - 1) // GROUP):
        density, total = np.empty((entities, samples), np.float32), np.empty(samples, np.float32)
        optical, passed, share = np.empty(samples, np.float32), np.empty(samples, np.float32), np.empty(samples, np.float32)
        to_weight, to_density = np.empty((entities, samples), np.float32), np.empty((entities, samples), np.float32)
        pull, to_optical = np.empty(samples, np.float32), np.empty(samples, np.float32)
        for ray in range(task * GROUP, min(rays, (task + 1) * GROUP)):
            interval, given, back = intervals[ray], to_colour[ray], behind[ray]
            _densities(distance, slot[ray], width, density)
            total[:] = ZERO
            pull[:] = ZERO
            for e in range(entities):
                for s in range(samples):
                    total[s] += density[e, s]
                    at = slot[ray, s, e]
                    seen = given[0] * colour[at, 0] + given[1] * colour[at, 1] + given[2] * colour[at, 2] if at >= 0 else ZERO
                    to_weight[e, s] = seen + to_entity_weight[ray, e]
                    pull[s] += density[e, s] * to_weight[e, s]
            left = _attenuate(total, interval, optical, passed, share)
            lost = left * (given[0] * back[0] + given[1] * back[1] + given[2] * back[2] + to_background[ray])
            _to_optical(optical, passed, share, interval, pull, lost, to_optical)
            for c in range(3):
                out_behind[ray, c] = left * given[c]
            for e in range(entities):
                for s in range(samples):
                    to_density[e, s] = interval[s] * (passed[s] * share[s] * to_weight[e, s] + to_optical[s])
                    at = slot[ray, s, e]
                    if at >= 0:
                        w = passed[s] * share[s] * interval[s] * density[e, s]
                        for c in range(3):
                            out_colour[at, c] = w * given[c]
            for e in range(entities):
                given = to_alone_colour[ray, e]
                for s in range(samples):
                    at = slot[ray, s, e]
                    to_weight[e, s] = given[0] * colour[at, 0] + given[1] * colour[at, 1] + given[2] * colour[at, 2] if at >= 0 else ZERO
                    pull[s] = density[e, s] * to_weight[e, s]
                left = _attenuate(density[e], interval, optical, passed, share)
                lost = left * (given[0] * back[0] + given[1] * back[1] + given[2] * back[2] - to_alone_opacity[ray, e])
                _to_optical(optical, passed, share, interval, pull, lost, to_optical)
                for c in range(3):
                    out_behind[ray, c] += left * given[c]
                for s in range(samples):
                    at = slot[ray, s, e]
                    if at >= 0:
                        to_density[e, s] += interval[s] * (passed[s] * share[s] * to_weight[e, s] + to_optical[s])
                        w = passed[s] * share[s] * interval[s] * density[e, s]
                        for c in range(3):
                            out_colour[at, c] += w * given[c]
                        out_distance[at] = -to_density[e, s] * HALF * fast_exp(-abs(distance[at]) / width) / (width * width)
