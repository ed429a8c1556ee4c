"""Distance, gradient and features of a distance field in one pass over blocks of points: numba kernels with a hand-written backward.

Encoding, network, gradient of the network and the continuation outside the cube stay in the nearest cache for each block. The readable
twin is `DistanceField.query` on the back end "torch". Weight gradients are summed per group of blocks and then in order; the scatter to
the table is parallel over levels, which own disjoint rows: nothing depends on the number of threads.
"""

from dataclasses import dataclass

import numba
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from hoifield.fields.block_layers import (
    BLOCK,
    FAST,
    add_bias_gradient,
    add_weight_gradient,
    apply_layer,
    padded_matrix,
    padded_vector,
    padded_width,
    softplus_with_slope,
    transpose_block,
)
from hoifield.fields.encode_numba import add_position_gradient, gather, interpolate, level_arrays, locate, match_threads, spread
from hoifield.fields.hash_grid_layout import HashGridLayout
from hoifield.fields.outside_numba import carry_outside, carry_outside_back

GROUP_BLOCKS = 4
"""Blocks of one parallel task; weight gradients are summed per task."""
HALF = np.float32(0.5)
ZERO = np.float32(0.0)
ONE = np.float32(1.0)


@dataclass(frozen=True)
class FieldShape:
    """What a query needs to know of a field besides its parameters."""

    layout: HashGridLayout
    center: Float[Tensor, "3"]
    half_size: float
    base_radius: float
    sharpness: float


def query_numba(
    points: Float[Tensor, "point 3"],
    table: Float[Tensor, "entry feature"],
    hidden: tuple[Float[Tensor, "hidden encoded"], Float[Tensor, "hidden"]],
    last: tuple[Float[Tensor, "output hidden"], Float[Tensor, "output"]],
    shape: FieldShape,
) -> tuple[Float[Tensor, "point"], Float[Tensor, "3 point"], Float[Tensor, "feature point"]]:
    """Distances (m), gradients and features, differentiable to everything before `shape`; float32 on the CPU.

    `points` must be finite: the kernels check nothing. `hidden` and `last` are weights and biases of the two layers.
    """
    return _QueryNumba.apply(points, table, *hidden, *last, shape)


class _QueryNumba(torch.autograd.Function):
    @staticmethod
    def forward(ctx, points, table, hidden_weight, hidden_bias, last_weight, last_bias, shape):
        rows = points.detach().t().contiguous()
        entries = table.detach().contiguous()
        count, features = rows.shape[1], len(last_bias) - 1
        network = _pad_network(hidden_weight, hidden_bias, last_weight, last_bias)
        blocks = (count + BLOCK - 1) // BLOCK
        saved = torch.empty(blocks, _saved_rows(shape.layout.encoded, len(network[1])) * BLOCK)
        distance, gradient, feature = torch.empty(count), torch.empty(3, count), torch.empty(features, count)
        match_threads()
        _forward(
            rows.numpy().reshape(-1), entries.numpy().reshape(-1), level_arrays(shape.layout), np.uint32(shape.layout.features), network,
            _constants(shape), saved.numpy(), distance.numpy(), gradient.numpy().reshape(-1), feature.numpy().reshape(-1),
        )  # fmt: skip
        ctx.save_for_backward(rows, entries, saved)
        ctx.network, ctx.shape, ctx.features = network, shape, features
        ctx.widths = (hidden_weight.shape, last_weight.shape)
        return distance, gradient, feature

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient_distance, gradient_gradient, gradient_feature):
        rows, entries, saved = ctx.saved_tensors
        shape, network = ctx.shape, ctx.network
        hidden, outputs, inputs = len(network[1]), len(network[4]), padded_width(shape.layout.encoded)
        blocks = len(saved)
        sums = hidden * inputs + hidden + outputs * hidden + outputs + hidden
        partial = torch.zeros((blocks + GROUP_BLOCKS - 1) // GROUP_BLOCKS, sums)
        with_points = ctx.needs_input_grad[0]
        by_axis = torch.zeros_like(rows)
        to_features, to_slopes = torch.empty(blocks, inputs * BLOCK), torch.empty(blocks, 3 * BLOCK)
        arrays = level_arrays(shape.layout)
        width = np.uint32(shape.layout.features)
        match_threads()
        _backward(
            rows.numpy().reshape(-1), entries.numpy().reshape(-1), arrays, width, network, _constants(shape), saved.numpy(),
            gradient_distance.contiguous().numpy(), gradient_gradient.contiguous().numpy().reshape(-1),
            gradient_feature.contiguous().numpy().reshape(-1), with_points, partial.numpy(), to_features.numpy(), to_slopes.numpy(),
            by_axis.numpy().reshape(-1),
        )  # fmt: skip
        gradient_table = torch.zeros_like(entries)
        _scatter(
            rows.numpy().reshape(-1), arrays, width, hidden, _constants(shape), saved.numpy(), to_features.numpy(), to_slopes.numpy(),
            gradient_table.numpy().reshape(-1),
        )  # fmt: skip
        layers = _unpad_sums(partial.sum(0), hidden, inputs, outputs, ctx.widths)
        return by_axis.t() if with_points else None, gradient_table, *layers, None


def _saved_rows(encoded: int, hidden: int) -> int:
    """Rows of a block that the backward reads: features, Jacobian, vector, slopes, activations, inner distance and gradient."""
    return 2 * padded_width(encoded) + 3 * encoded + 2 * hidden + 4


def _pad_network(hidden_weight: Tensor, hidden_bias: Tensor, last_weight: Tensor, last_bias: Tensor) -> tuple[np.ndarray, ...]:
    """Both layers padded to multiples of 4: weights, bias, transposed weights of each, and the first row of the last."""
    first, last = hidden_weight.detach().numpy(), last_weight.detach().numpy()
    return (
        padded_matrix(first), padded_vector(hidden_bias.detach().numpy()), padded_matrix(first.T),
        padded_matrix(last), padded_vector(last_bias.detach().numpy()), padded_matrix(last.T), padded_vector(last[0]),
    )  # fmt: skip


def _unpad_sums(sums: Tensor, hidden: int, inputs: int, outputs: int, widths: tuple[torch.Size, torch.Size]) -> tuple[Tensor, ...]:
    """Gradients of the four tensors of the network out of the flat sums of the kernel."""
    parts = sums.split([hidden * inputs, hidden, outputs * hidden, outputs, hidden])
    first, last = widths
    last_weight = parts[2].reshape(outputs, hidden)[: last[0], : last[1]].clone()
    last_weight[0] += parts[4][: last[1]]
    return parts[0].reshape(hidden, inputs)[: first[0], : first[1]].contiguous(), parts[1][: first[0]], last_weight, parts[3][: last[0]]


def _constants(shape: FieldShape) -> np.ndarray:
    """Centre, half size, base radius, sharpness, as 32-bit numbers."""
    return np.array([*shape.center.tolist(), shape.half_size, shape.base_radius, shape.sharpness], dtype=np.float32)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _enter_cube(points, start, count, constants, unit, position):
    """Points of a block, clamped to the cube, in [-1, 1] and in [0, 1]; the rest of the block is filled with its middle."""
    total = points.size // 3
    half = constants[3]
    for axis in range(3):
        row = points[axis * total + start : axis * total + start + count]
        u, p = unit[axis * BLOCK : (axis + 1) * BLOCK], position[axis * BLOCK : (axis + 1) * BLOCK]
        center = constants[axis]
        low, high = center - half, center + half
        for i in range(count):
            u[i] = (min(max(row[i], low), high) - center) / half
        for i in range(count, BLOCK):
            u[i] = ZERO
        for i in range(BLOCK):
            p[i] = min(max(u[i] * HALF + HALF, ZERO), ONE)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _encode_block(position, table, levels, width, buffers, values, jacobian):
    """Features [encoded][BLOCK] and Jacobian [3][encoded][BLOCK] of a whole block."""
    scale, side, dense, mask, offset = levels
    row, fraction, corner = buffers
    encoded = scale.size * width
    for level in range(scale.size):
        locate(position, 0, BLOCK, scale[level], side[level], dense[level], mask[level], offset[level], row, fraction)
        for feature in range(width):
            at = level * width + feature
            jx, jy = jacobian[at * BLOCK : (at + 1) * BLOCK], jacobian[(encoded + at) * BLOCK : (encoded + at + 1) * BLOCK]
            jz = jacobian[(2 * encoded + at) * BLOCK : (2 * encoded + at + 1) * BLOCK]
            gather(table, row, width, np.uint32(feature), BLOCK, corner)
            interpolate(corner, fraction, BLOCK, scale[level], values[at * BLOCK : (at + 1) * BLOCK], jx, jy, jz, True)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _parts(saved, encoded, hidden):
    """Views of what is saved of a block: features, vector, Jacobian, slopes, activations, inner distance and gradient."""
    inputs = (encoded + 3) // 4 * 4
    a, b, c, d = inputs, 2 * inputs, 2 * inputs + 3 * encoded, 2 * inputs + 3 * encoded + hidden
    e = d + hidden
    return (
        saved[: a * BLOCK], saved[a * BLOCK : b * BLOCK], saved[b * BLOCK : c * BLOCK], saved[c * BLOCK : d * BLOCK],
        saved[d * BLOCK : e * BLOCK], saved[e * BLOCK :],
    )  # fmt: skip


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _distance_and_gradient(unit, output, vector, jacobian, encoded, constants, inner):
    """Distance and gradient inside the cube, rows of `inner`: a sphere plus what the network gives."""
    distance = inner[:BLOCK]
    for i in range(BLOCK):
        x, y, z = unit[i], unit[BLOCK + i], unit[2 * BLOCK + i]
        radius = max(np.sqrt(x * x + y * y + z * z), np.float32(1e-6))
        distance[i] = (radius - constants[4] + output[i]) * constants[3]
    for axis in range(3):
        out = inner[(1 + axis) * BLOCK : (2 + axis) * BLOCK]
        out[:] = ZERO
        for k in range(encoded):
            slope, v = jacobian[(axis * encoded + k) * BLOCK : (axis * encoded + k + 1) * BLOCK], vector[k * BLOCK : (k + 1) * BLOCK]
            for i in range(BLOCK):
                out[i] += slope[i] * v[i]
        along = unit[axis * BLOCK : (axis + 1) * BLOCK]
        for i in range(BLOCK):
            x, y, z = unit[i], unit[BLOCK + i], unit[2 * BLOCK + i]
            radius = max(np.sqrt(x * x + y * y + z * z), np.float32(1e-6))
            out[i] = along[i] / radius + out[i] * HALF


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", parallel=True)
def _forward(points, table, levels, width, network, constants, saved, distance, gradient, feature):
    total = points.size // 3
    encoded = levels[0].size * width
    w1, b1, w1t, w3, b3, _, w30 = network
    hidden, outputs, inputs = b1.size, b3.size, (encoded + 3) // 4 * 4
    tasks = (saved.shape[0] + GROUP_BLOCKS - 1) // GROUP_BLOCKS
    for task in numba.prange(tasks):
        buffers = (np.empty(8 * BLOCK, np.uint32), np.empty(3 * BLOCK, np.float32), np.empty(8 * BLOCK, np.float32))
        unit, position = np.empty(3 * BLOCK, np.float32), np.empty(3 * BLOCK, np.float32)
        product, output = np.empty(hidden * BLOCK, np.float32), np.empty(outputs * BLOCK, np.float32)
        nothing = np.zeros(inputs, np.float32)
        for block in range(task * GROUP_BLOCKS, min(saved.shape[0], (task + 1) * GROUP_BLOCKS)):
            start = block * BLOCK
            count = min(BLOCK, total - start)
            values, vector, jacobian, slope, activation, inner = _parts(saved[block], encoded, hidden)
            _enter_cube(points, start, count, constants, unit, position)
            values[encoded * BLOCK :] = ZERO
            _encode_block(position, table, levels, width, buffers, values, jacobian)
            apply_layer(w1, b1, values, activation, hidden, inputs)
            softplus_with_slope(activation, slope, hidden * BLOCK, constants[5])
            apply_layer(w3, b3, activation, output, outputs, hidden)
            for h in range(hidden):
                for i in range(h * BLOCK, (h + 1) * BLOCK):
                    product[i] = slope[i] * w30[h]
            apply_layer(w1t, nothing, product, vector, inputs, hidden)
            _distance_and_gradient(unit, output, vector, jacobian, encoded, constants, inner)
            distance[start : start + count] = inner[:count]
            for axis in range(3):
                gradient[axis * total + start : axis * total + start + count] = inner[(1 + axis) * BLOCK : (1 + axis) * BLOCK + count]
            for f in range(feature.size // max(total, 1)):
                feature[f * total + start : f * total + start + count] = output[(1 + f) * BLOCK : (1 + f) * BLOCK + count]
            carry_outside(points, start, count, constants, distance, gradient)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _receive(points, start, count, constants, inner, incoming, to_outputs, to_gradient, to_excess):
    """Gradients arriving at a block: at the outputs of the network and at the inner gradient; the rest of the block gets 0."""
    total = points.size // 3
    to_distance, by_axis, to_feature = incoming
    to_outputs[:] = ZERO
    to_gradient[:] = ZERO
    to_outputs[:count] = to_distance[start : start + count]
    for axis in range(3):
        to_gradient[axis * BLOCK : axis * BLOCK + count] = by_axis[axis * total + start : axis * total + start + count]
    carry_outside_back(points, start, count, constants, inner, to_outputs, to_gradient, to_excess)
    for f in range(to_feature.size // total):
        to_outputs[(1 + f) * BLOCK : (1 + f) * BLOCK + count] = to_feature[f * total + start : f * total + start + count]


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _network_backward(network, saved_parts, encoded, sharpness, to_outputs, to_slopes, to_values, sums, buffers):
    """Fills the gradients to the features, and adds those of the network to `sums`; `to_slopes` are those to the Jacobian's rows."""
    w1, b1, w1t, _, b3, w3t, w30 = network
    values, _, jacobian, slope, activation, _ = saved_parts
    hidden, outputs, inputs = b1.size, b3.size, w1.size // b1.size
    product, to_activation, along, transposed = buffers
    a, b = hidden * inputs, hidden * inputs + hidden
    c, d = b + outputs * hidden, b + outputs * hidden + outputs
    transpose_block(activation, transposed, hidden)
    add_weight_gradient(to_outputs, transposed, sums[b:c], outputs, hidden)
    add_bias_gradient(to_outputs, sums[c:d], outputs)
    apply_layer(w3t, np.zeros(hidden, np.float32), to_outputs, to_activation, hidden, outputs)
    along[encoded * BLOCK :] = ZERO
    for k in range(encoded):
        jx, jy = jacobian[k * BLOCK : (k + 1) * BLOCK], jacobian[(encoded + k) * BLOCK : (encoded + k + 1) * BLOCK]
        jz, row = jacobian[(2 * encoded + k) * BLOCK : (2 * encoded + k + 1) * BLOCK], along[k * BLOCK : (k + 1) * BLOCK]
        for i in range(BLOCK):
            row[i] = jx[i] * to_slopes[i] + jy[i] * to_slopes[BLOCK + i] + jz[i] * to_slopes[2 * BLOCK + i]
    transpose_block(along, transposed, inputs)
    for h in range(hidden):
        for i in range(h * BLOCK, (h + 1) * BLOCK):
            product[i] = slope[i] * w30[h]
    add_weight_gradient(product, transposed, sums[:a], hidden, inputs)
    apply_layer(w1, np.zeros(hidden, np.float32), along, product, hidden, inputs)
    for h in range(hidden):
        for i in range(h * BLOCK, (h + 1) * BLOCK):
            s = slope[i]
            to_activation[i] = to_activation[i] * s + product[i] * w30[h] * (s * (ONE - s) * sharpness)
            product[i] = product[i] * s
    add_bias_gradient(product, sums[d:], hidden)
    add_bias_gradient(to_activation, sums[a:b], hidden)
    transpose_block(values, transposed, inputs)
    add_weight_gradient(to_activation, transposed, sums[:a], hidden, inputs)
    apply_layer(w1t, np.zeros(inputs, np.float32), to_activation, to_values, inputs, hidden)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _to_positions(position, table, levels, width, buffers, vector, to_values, to_slopes, along, out):
    """Gradient [3][BLOCK] of a block to its positions in [0, 1], through features and Jacobian."""
    scale, side, dense, mask, offset = levels
    row, fraction, corner = buffers
    out[:] = ZERO
    dx, dy, dz = out[:BLOCK], out[BLOCK : 2 * BLOCK], out[2 * BLOCK :]
    gx, gy, gz = along[:BLOCK], along[BLOCK : 2 * BLOCK], along[2 * BLOCK : 3 * BLOCK]
    for level in range(scale.size):
        locate(position, 0, BLOCK, scale[level], side[level], dense[level], mask[level], offset[level], row, fraction)
        for feature in range(width):
            at = level * width + feature
            q, v = to_values[at * BLOCK : (at + 1) * BLOCK], vector[at * BLOCK : (at + 1) * BLOCK]
            for i in range(BLOCK):
                gx[i], gy[i], gz[i] = v[i] * to_slopes[i], v[i] * to_slopes[BLOCK + i], v[i] * to_slopes[2 * BLOCK + i]
            gather(table, row, width, np.uint32(feature), BLOCK, corner)
            add_position_gradient(corner, fraction, BLOCK, scale[level], q, gx, gy, gz, dx, dy, dz, True)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def _to_points(points, start, count, constants, unit, position_gradient, to_distance, to_gradient, to_excess, out):
    """Gradient to the points (m) from those to positions, to the sphere's distance and normal, and to the excess beyond the cube."""
    total = points.size // 3
    half = constants[3]
    for i in range(count):
        x, y, z = unit[i], unit[BLOCK + i], unit[2 * BLOCK + i]
        radius = max(np.sqrt(x * x + y * y + z * z), np.float32(1e-6))
        nx, ny, nz = x / radius, y / radius, z / radius
        gx, gy, gz = to_gradient[i], to_gradient[BLOCK + i], to_gradient[2 * BLOCK + i]
        along = gx * nx + gy * ny + gz * nz
        pull = to_distance[i] * half
        ux, uy, uz = pull * nx + (gx - along * nx) / radius, pull * ny + (gy - along * ny) / radius, pull * nz + (gz - along * nz) / radius
        for axis in range(3):
            u = ux if axis == 0 else (uy if axis == 1 else uz)
            value = points[axis * total + start + i]
            inside = constants[axis] - half <= value <= constants[axis] + half
            through = (u + position_gradient[axis * BLOCK + i] * HALF) / half
            out[axis * total + start + i] = (through if inside else ZERO) + to_excess[axis * BLOCK + i]


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", parallel=True)
def _backward(
    points, table, levels, width, network, constants, saved, to_distance, to_gradients, to_feature, with_points, partial, to_features, to_jacobian, out
):  # fmt: skip
    total = points.size // 3
    encoded = levels[0].size * width
    hidden, outputs, inputs = network[1].size, network[4].size, (encoded + 3) // 4 * 4
    widest = max(hidden, inputs, 4)
    for task in numba.prange(partial.shape[0]):
        grid_buffers = (np.empty(8 * BLOCK, np.uint32), np.empty(3 * BLOCK, np.float32), np.empty(8 * BLOCK, np.float32))
        unit, position = np.empty(3 * BLOCK, np.float32), np.empty(3 * BLOCK, np.float32)
        buffers = (
            np.empty(hidden * BLOCK, np.float32), np.empty(hidden * BLOCK, np.float32), np.empty(widest * BLOCK, np.float32),
            np.empty(widest * BLOCK, np.float32),
        )  # fmt: skip
        to_outputs, to_gradient = np.empty(outputs * BLOCK, np.float32), np.empty(3 * BLOCK, np.float32)
        to_excess, moved, direct = np.empty(3 * BLOCK, np.float32), np.empty(3 * BLOCK, np.float32), np.empty(BLOCK, np.float32)
        for block in range(task * GROUP_BLOCKS, min(saved.shape[0], (task + 1) * GROUP_BLOCKS)):
            start = block * BLOCK
            count = min(BLOCK, total - start)
            parts = _parts(saved[block], encoded, hidden)
            _receive(points, start, count, constants, parts[5], (to_distance, to_gradients, to_feature), to_outputs, to_gradient, to_excess)
            direct[:] = to_outputs[:BLOCK]
            for i in range(BLOCK):
                to_outputs[i] = to_outputs[i] * constants[3]
            slopes = to_jacobian[block]
            for i in range(3 * BLOCK):
                slopes[i] = to_gradient[i] * HALF
            _network_backward(network, parts, encoded, constants[5], to_outputs, slopes, to_features[block], partial[task], buffers)
            if with_points:
                _enter_cube(points, start, count, constants, unit, position)
                _to_positions(position, table, levels, width, grid_buffers, parts[1], to_features[block], slopes, buffers[2], moved)
                _to_points(points, start, count, constants, unit, moved, direct, to_gradient, to_excess, out)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", parallel=True)
def _scatter(points, levels, width, hidden, constants, saved, to_features, to_jacobian, gradient):
    """Adds the gradients of all points to the table, level by level."""
    total = points.size // 3
    scale, side, dense, mask, offset = levels
    encoded = scale.size * width
    for level in numba.prange(scale.size):
        row, fraction, corner = np.empty(8 * BLOCK, np.uint32), np.empty(3 * BLOCK, np.float32), np.empty(8 * BLOCK, np.float32)
        unit, position, along = np.empty(3 * BLOCK, np.float32), np.empty(3 * BLOCK, np.float32), np.empty(3 * BLOCK, np.float32)
        gx, gy, gz = along[:BLOCK], along[BLOCK : 2 * BLOCK], along[2 * BLOCK :]
        for block in range(saved.shape[0]):
            count = min(BLOCK, total - block * BLOCK)
            _enter_cube(points, block * BLOCK, count, constants, unit, position)
            locate(position, 0, BLOCK, scale[level], side[level], dense[level], mask[level], offset[level], row, fraction)
            slopes, vector = to_jacobian[block], _parts(saved[block], encoded, hidden)[1]
            for feature in range(width):
                at = level * width + feature
                v = vector[at * BLOCK : (at + 1) * BLOCK]
                for i in range(BLOCK):
                    gx[i], gy[i], gz[i] = v[i] * slopes[i], v[i] * slopes[BLOCK + i], v[i] * slopes[2 * BLOCK + i]
                spread(to_features[block][at * BLOCK : (at + 1) * BLOCK], gx, gy, gz, fraction, BLOCK, scale[level], corner, True)
                for k in range(8):
                    rows, values = row[k * BLOCK : (k + 1) * BLOCK], corner[k * BLOCK : (k + 1) * BLOCK]
                    for i in range(count):
                        gradient[np.uint32(rows[i] * width + np.uint32(feature))] += values[i]
