"""A distance field carried on beyond its cube, inside the kernels of `distance_numba`; the twin is `distance_field.continue_outside`.

With d and g the distance and gradient at the nearest point of the cube, e the excess beyond it and a the part of g along the axes that
the point does not exceed: sqrt(|e|^2 + d^2) and (e + d a) over that where d > 0, else d + |e| and e / |e| + a.
"""

import numba
import numpy as np

from hoifield.fields.block_layers import BLOCK, FAST

ZERO = np.float32(0.0)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", inline="always")
def _excess(value, center, half):
    return value - min(max(value, center - half), center + half)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def carry_outside(points, start, count, constants, distance, gradient):
    """Replaces distance and gradient of the points of a block that lie outside the cube; the others are left alone."""
    total = points.size // 3
    half = constants[3]
    excess, along = np.empty(3, np.float32), np.empty(3, np.float32)
    for i in range(start, start + count):
        square = ZERO
        for axis in range(3):
            excess[axis] = _excess(points[axis * total + i], constants[axis], half)
            square += excess[axis] * excess[axis]
            along[axis] = gradient[axis * total + i] if excess[axis] == ZERO else ZERO
        if square == ZERO:
            continue
        d = distance[i]
        distance[i] = np.sqrt(square + d * d) if d > ZERO else d + np.sqrt(square)
        for axis in range(3):
            if d > ZERO:
                gradient[axis * total + i] = (excess[axis] + d * along[axis]) / distance[i]
            else:
                gradient[axis * total + i] = excess[axis] / np.sqrt(square) + along[axis]


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def carry_outside_back(points, start, count, constants, inner, to_distance, to_gradient, to_excess):
    """Turns gradients to what `carry_outside` gives into those to what it was given, and fills those to the excess."""
    total = points.size // 3
    half = constants[3]
    excess, along, incoming = np.empty(3, np.float32), np.empty(3, np.float32), np.empty(3, np.float32)
    to_excess[:] = ZERO
    for i in range(count):
        square = ZERO
        for axis in range(3):
            excess[axis] = _excess(points[axis * total + start + i], constants[axis], half)
            square += excess[axis] * excess[axis]
        if square == ZERO:
            continue
        d, beyond = inner[i], np.sqrt(square)
        for axis in range(3):
            along[axis] = inner[(1 + axis) * BLOCK + i] if excess[axis] == ZERO else ZERO
            incoming[axis] = to_gradient[axis * BLOCK + i]
        arriving = to_distance[i]
        length = np.sqrt(square + d * d) if d > ZERO else beyond
        turned = ZERO
        for axis in range(3):
            turned += incoming[axis] * (excess[axis] + (d * along[axis] if d > ZERO else ZERO))
        if d > ZERO:
            to_length = arriving - turned / (length * length)
            to_beyond = to_length * beyond / length
            to_distance[i] = to_length * d / length
        else:
            to_beyond = arriving - turned / square
        for axis in range(3):
            share = incoming[axis] / length
            if d > ZERO:
                to_distance[i] += share * along[axis]
            if excess[axis] == ZERO:
                to_gradient[axis * BLOCK + i] = share * d if d > ZERO else incoming[axis]
            else:
                to_gradient[axis * BLOCK + i] = ZERO
                to_excess[axis * BLOCK + i] = share + to_beyond * excess[axis] / beyond
