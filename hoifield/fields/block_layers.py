"""Layers of small networks on blocks of points, for numba kernels: [feature][BLOCK] in flat arrays that stay in the nearest cache.

Widths are multiples of 4 (`padded_width`): four outputs and four inputs at a time keep the weights in registers, and LLVM vectorises over
the points. Sums run in a fixed order, so that results repeat bit for bit.
"""

import numba
import numpy as np

BLOCK = 128
"""Points of a block."""
# Without "nnan" comparisons with NaN keep their meaning. Without "contract" and "reassoc" a kernel gives the same bits whether it was
# just compiled or read from the cache: numba optimises the two copies separately.
FAST = {"nsz", "arcp"}

LOG2_E = np.float32(1.4426950408889634)
LN2_HIGH = np.float32(0.693359375)
LN2_LOW = np.float32(-2.12194440e-4)
LEAST_EXPONENT = np.float32(-87.0)
"""Below, exp of a 32-bit number leaves the normal range."""
ONE = np.float32(1.0)


def padded_width(width: int) -> int:
    """The next multiple of 4."""
    return (width + 3) // 4 * 4


def padded_matrix(weight: np.ndarray) -> np.ndarray:
    """A weight matrix with zero rows and columns up to multiples of 4, flat, 32-bit."""
    outputs, inputs = weight.shape
    if outputs % 4 == 0 and inputs % 4 == 0:
        return np.ascontiguousarray(weight).reshape(-1)
    full = np.zeros((padded_width(outputs), padded_width(inputs)), np.float32)
    full[:outputs, :inputs] = weight
    return full.reshape(-1)


def padded_vector(bias: np.ndarray) -> np.ndarray:
    """A bias with zeros up to a multiple of 4, 32-bit."""
    full = np.zeros(padded_width(len(bias)), np.float32)
    full[: len(bias)] = bias
    return full


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def apply_layer(weight, bias, values, out, outputs, inputs):
    """out[o] = bias[o] + sum over k of weight[o, k] values[k], for a whole block; give a zero bias for a plain product."""
    for o in range(0, outputs, 4):
        y0, y1 = out[o * BLOCK : (o + 1) * BLOCK], out[(o + 1) * BLOCK : (o + 2) * BLOCK]
        y2, y3 = out[(o + 2) * BLOCK : (o + 3) * BLOCK], out[(o + 3) * BLOCK : (o + 4) * BLOCK]
        b0, b1, b2, b3 = bias[o], bias[o + 1], bias[o + 2], bias[o + 3]
        for i in range(BLOCK):
            y0[i], y1[i], y2[i], y3[i] = b0, b1, b2, b3
        for k in range(0, inputs, 4):
            x0, x1 = values[k * BLOCK : (k + 1) * BLOCK], values[(k + 1) * BLOCK : (k + 2) * BLOCK]
            x2, x3 = values[(k + 2) * BLOCK : (k + 3) * BLOCK], values[(k + 3) * BLOCK : (k + 4) * BLOCK]
            first, second, third, fourth = o * inputs + k, (o + 1) * inputs + k, (o + 2) * inputs + k, (o + 3) * inputs + k
            w00, w01, w02, w03 = weight[first], weight[first + 1], weight[first + 2], weight[first + 3]
            w10, w11, w12, w13 = weight[second], weight[second + 1], weight[second + 2], weight[second + 3]
            w20, w21, w22, w23 = weight[third], weight[third + 1], weight[third + 2], weight[third + 3]
            w30, w31, w32, w33 = weight[fourth], weight[fourth + 1], weight[fourth + 2], weight[fourth + 3]
            for i in range(BLOCK):
                p, q, r, s = x0[i], x1[i], x2[i], x3[i]
                y0[i] = y0[i] + w00 * p + w01 * q + w02 * r + w03 * s
                y1[i] = y1[i] + w10 * p + w11 * q + w12 * r + w13 * s
                y2[i] = y2[i] + w20 * p + w21 * q + w22 * r + w23 * s
                y3[i] = y3[i] + w30 * p + w31 * q + w32 * r + w33 * s


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def transpose_block(values, out, width):
    """Point-first copy [BLOCK][width] of a block, as `add_weight_gradient` reads it."""
    for k in range(width):
        row = values[k * BLOCK : (k + 1) * BLOCK]
        for i in range(BLOCK):
            out[i * width + k] = row[i]


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def add_weight_gradient(incoming, transposed, weight_gradient, outputs, inputs):
    """Adds incoming[o] . values[k] of a block to weight_gradient[o, k]; the values come from `transpose_block`."""
    for o in range(0, outputs, 4):
        d0, d1 = weight_gradient[o * inputs : (o + 1) * inputs], weight_gradient[(o + 1) * inputs : (o + 2) * inputs]
        d2, d3 = weight_gradient[(o + 2) * inputs : (o + 3) * inputs], weight_gradient[(o + 3) * inputs : (o + 4) * inputs]
        g0, g1 = incoming[o * BLOCK : (o + 1) * BLOCK], incoming[(o + 1) * BLOCK : (o + 2) * BLOCK]
        g2, g3 = incoming[(o + 2) * BLOCK : (o + 3) * BLOCK], incoming[(o + 3) * BLOCK : (o + 4) * BLOCK]
        for i in range(0, BLOCK, 4):
            x0, x1 = transposed[i * inputs : (i + 1) * inputs], transposed[(i + 1) * inputs : (i + 2) * inputs]
            x2, x3 = transposed[(i + 2) * inputs : (i + 3) * inputs], transposed[(i + 3) * inputs : (i + 4) * inputs]
            w00, w01, w02, w03 = g0[i], g0[i + 1], g0[i + 2], g0[i + 3]
            w10, w11, w12, w13 = g1[i], g1[i + 1], g1[i + 2], g1[i + 3]
            w20, w21, w22, w23 = g2[i], g2[i + 1], g2[i + 2], g2[i + 3]
            w30, w31, w32, w33 = g3[i], g3[i + 1], g3[i + 2], g3[i + 3]
            for k in range(inputs):
                p, q, r, s = x0[k], x1[k], x2[k], x3[k]
                d0[k] = d0[k] + w00 * p + w01 * q + w02 * r + w03 * s
                d1[k] = d1[k] + w10 * p + w11 * q + w12 * r + w13 * s
                d2[k] = d2[k] + w20 * p + w21 * q + w22 * r + w23 * s
                d3[k] = d3[k] + w30 * p + w31 * q + w32 * r + w33 * s


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def add_bias_gradient(incoming, bias_gradient, outputs):
    """Adds the sums over a block to bias_gradient[o], in 8 strands as a vector would."""
    strand = np.empty(8, np.float32)
    for o in range(outputs):
        row = incoming[o * BLOCK : (o + 1) * BLOCK]
        strand[:] = np.float32(0)
        for i in range(0, BLOCK, 8):
            for j in range(8):
                strand[j] += row[i + j]
        bias_gradient[o] += ((strand[0] + strand[4]) + (strand[1] + strand[5])) + ((strand[2] + strand[6]) + (strand[3] + strand[7]))


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", inline="always")
def fast_exp(x):
    """exp(x) of a 32-bit x <= 88, to 2 units in the last place; 0 below -87. Written out so that LLVM can vectorise it (Cephes' expf)."""
    capped = max(x, LEAST_EXPONENT)
    n = np.floor(capped * LOG2_E + np.float32(0.5))
    r = capped - n * LN2_HIGH - n * LN2_LOW
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    value = p * r * r + r + ONE
    power = np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)
    return value * power if x >= LEAST_EXPONENT else np.float32(0)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", inline="always")
def log_of_one_plus(z):
    """log(1 + z) of a 32-bit z in [0, 1], to 2 units in the last place: the series of 2 artanh(z / (2 + z))."""
    s = z / (np.float32(2) + z)
    square = s * s
    p = np.float32(1 / 17)
    p = p * square + np.float32(1 / 15)
    p = p * square + np.float32(1 / 13)
    p = p * square + np.float32(1 / 11)
    p = p * square + np.float32(1 / 9)
    p = p * square + np.float32(1 / 7)
    p = p * square + np.float32(1 / 5)
    p = p * square + np.float32(1 / 3)
    return np.float32(2) * (s + s * square * p)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def softplus_with_slope(values, slope, size, sharpness):
    """Replaces values a by softplus(a) = log(1 + exp(sharpness a)) / sharpness, and fills the slopes sigmoid(sharpness a)."""
    inverse = ONE / sharpness
    for i in range(size):
        a = values[i]
        decay = fast_exp(-sharpness * abs(a))
        share = ONE / (ONE + decay)
        slope[i] = share if a >= 0 else decay * share
        values[i] = max(a, np.float32(0)) + log_of_one_plus(decay) * inverse
