"""The hash-grid encoding on the CPU: numba kernels staged per block of points, with a hand-written backward.

Stage 1 finds rows and fractions of a block, stage 2 gathers and interpolates: LLVM vectorises both. The scatter to the table is
parallel over levels, which own disjoint rows, so that it needs no atomics and repeats bit for bit.
"""

from functools import lru_cache

import numba
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from hoifield.fields.block_layers import BLOCK, FAST
from hoifield.fields.hash_grid_layout import HASH_PRIME_Y, HASH_PRIME_Z, HashGridLayout

GROUP = 16 * BLOCK
PRIME_Y = np.uint32(HASH_PRIME_Y)
PRIME_Z = np.uint32(HASH_PRIME_Z)
HALF = np.float32(0.5)


def encode_numba(
    points: Float[Tensor, "point 3"], table: Float[Tensor, "entry feature"], layout: HashGridLayout, with_jacobian: bool
) -> tuple[Float[Tensor, "encoded point"], Float[Tensor, "axis encoded point"]]:
    """Features and their derivatives to the three coordinates, feature first, like `encode_torch`; float32 on the CPU.

    `points` must be finite and lie in [0, 1]: the kernels check no bounds. Without the Jacobian its array has no axis.
    """
    return _EncodeNumba.apply(points, table, layout, with_jacobian)


class _EncodeNumba(torch.autograd.Function):
    @staticmethod
    def forward(ctx, points, table, layout, with_jacobian):
        rows = points.detach().t().contiguous()
        entries = table.detach().contiguous()
        count = rows.shape[1]
        features = torch.empty(layout.encoded, count)
        jacobian = torch.empty(3 if with_jacobian else 0, layout.encoded, count)
        match_threads()
        _forward(
            rows.numpy().reshape(-1), entries.numpy().reshape(-1), *level_arrays(layout), layout.features,
            features.numpy().reshape(-1), jacobian.numpy().reshape(-1), with_jacobian,
        )  # fmt: skip
        ctx.save_for_backward(rows, entries)
        ctx.layout = layout
        ctx.with_jacobian = with_jacobian
        return features, jacobian

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient_features, gradient_jacobian):
        rows, entries = ctx.saved_tensors
        layout = ctx.layout
        incoming = gradient_features.contiguous().numpy().reshape(-1)
        incoming_jacobian = gradient_jacobian.contiguous().numpy().reshape(-1)
        shared = (*level_arrays(layout), layout.features, incoming, incoming_jacobian, ctx.with_jacobian)
        match_threads()
        gradient_points = gradient_table = None
        if ctx.needs_input_grad[1]:
            gradient_table = torch.zeros_like(entries)
            _backward_table(rows.numpy().reshape(-1), *shared, gradient_table.numpy().reshape(-1))
        if ctx.needs_input_grad[0]:
            by_axis = torch.zeros_like(rows)
            _backward_points(rows.numpy().reshape(-1), entries.numpy().reshape(-1), *shared, by_axis.numpy().reshape(-1))
            gradient_points = by_axis.t()
        return gradient_points, gradient_table, None, None


def match_threads() -> None:
    """Kernels use as many threads as the caller gave to torch."""
    numba.set_num_threads(min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]


@lru_cache(maxsize=16)
def level_arrays(layout: HashGridLayout) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scale, vertices per axis, density, mask of the hash and offset of every level, as the kernels read them."""
    shapes = layout.level_shapes
    return (
        np.array([shape.scale for shape in shapes], dtype=np.float32),
        np.array([shape.side for shape in shapes], dtype=np.uint32),
        np.array([shape.dense for shape in shapes], dtype=np.bool_),
        np.array([shape.size - 1 for shape in shapes], dtype=np.uint32),
        np.array([shape.offset for shape in shapes], dtype=np.uint32),
    )


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def locate(position, start, count, scale, side, dense, mask, offset, row, fraction):
    """Rows of the 8 corners (order 4x + 2y + z) and the fractions within the cell, for one block of points."""
    total = position.size // 3
    xs = position[start : start + count]
    ys = position[total + start : total + start + count]
    zs = position[2 * total + start : 2 * total + start + count]
    fx, fy, fz = fraction[:BLOCK], fraction[BLOCK : 2 * BLOCK], fraction[2 * BLOCK :]
    r0, r1, r2, r3 = row[:BLOCK], row[BLOCK : 2 * BLOCK], row[2 * BLOCK : 3 * BLOCK], row[3 * BLOCK : 4 * BLOCK]
    r4, r5, r6, r7 = row[4 * BLOCK : 5 * BLOCK], row[5 * BLOCK : 6 * BLOCK], row[6 * BLOCK : 7 * BLOCK], row[7 * BLOCK :]
    plane = np.uint32(side * side)
    one = np.uint32(1)
    for i in range(count):
        x, y, z = xs[i] * scale + HALF, ys[i] * scale + HALF, zs[i] * scale + HALF
        ix, iy, iz = np.uint32(np.int32(x)), np.uint32(np.int32(y)), np.uint32(np.int32(z))
        fx[i], fy[i], fz[i] = x - np.float32(ix), y - np.float32(iy), z - np.float32(iz)
        if dense:
            r0[i] = np.uint32(offset + ix + np.uint32(iy * side) + np.uint32(iz * plane))
            r1[i] = np.uint32(r0[i] + plane)
            r2[i] = np.uint32(r0[i] + side)
            r3[i] = np.uint32(r0[i] + side + plane)
            r4[i] = np.uint32(r0[i] + one)
            r5[i] = np.uint32(r0[i] + one + plane)
            r6[i] = np.uint32(r0[i] + one + side)
            r7[i] = np.uint32(r0[i] + one + side + plane)
        else:
            jx = np.uint32(ix + one)
            hy, jy = np.uint32(iy * PRIME_Y), np.uint32(np.uint32(iy + one) * PRIME_Y)
            hz, jz = np.uint32(iz * PRIME_Z), np.uint32(np.uint32(iz + one) * PRIME_Z)
            r0[i] = np.uint32(((ix ^ hy ^ hz) & mask) + offset)
            r1[i] = np.uint32(((ix ^ hy ^ jz) & mask) + offset)
            r2[i] = np.uint32(((ix ^ jy ^ hz) & mask) + offset)
            r3[i] = np.uint32(((ix ^ jy ^ jz) & mask) + offset)
            r4[i] = np.uint32(((jx ^ hy ^ hz) & mask) + offset)
            r5[i] = np.uint32(((jx ^ hy ^ jz) & mask) + offset)
            r6[i] = np.uint32(((jx ^ jy ^ hz) & mask) + offset)
            r7[i] = np.uint32(((jx ^ jy ^ jz) & mask) + offset)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def gather(table, row, width, feature, count, corner):
    """Values of one feature at the 8 corners of a block of points."""
    for k in range(8):
        rows = row[k * BLOCK : (k + 1) * BLOCK]
        values = corner[k * BLOCK : (k + 1) * BLOCK]
        for i in range(count):
            values[i] = table[np.uint32(rows[i] * width + feature)]


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def interpolate(corner, fraction, count, scale, value, jx, jy, jz, with_jacobian):
    """Trilinear value and slopes of a block: a tree of linear interpolations (x, then y, then z)."""
    for i in range(count):
        X, Y, Z = fraction[i], fraction[BLOCK + i], fraction[2 * BLOCK + i]
        a0, a1, a2, a3 = corner[i], corner[BLOCK + i], corner[2 * BLOCK + i], corner[3 * BLOCK + i]
        d0, d1 = corner[4 * BLOCK + i] - a0, corner[5 * BLOCK + i] - a1
        d2, d3 = corner[6 * BLOCK + i] - a2, corner[7 * BLOCK + i] - a3
        b0, b1, b2, b3 = a0 + X * d0, a1 + X * d1, a2 + X * d2, a3 + X * d3
        e0, e1 = b2 - b0, b3 - b1
        c0, c1 = b0 + Y * e0, b1 + Y * e1
        value[i] = c0 + Z * (c1 - c0)
        if with_jacobian:
            g0, g1 = d0 + Y * (d2 - d0), d1 + Y * (d3 - d1)
            jx[i] = scale * (g0 + Z * (g1 - g0))
            jy[i] = scale * (e0 + Z * (e1 - e0))
            jz[i] = scale * (c1 - c0)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", parallel=True)
def _forward(position, table, scale, side, dense, mask, offset, width, features, jacobian, with_jacobian):
    total = position.size // 3
    encoded = scale.size * width
    groups = (total + GROUP - 1) // GROUP
    for task in numba.prange(groups * scale.size):
        level, group = task // groups, task % groups
        row = np.empty(8 * BLOCK, np.uint32)
        fraction = np.empty(3 * BLOCK, np.float32)
        corner = np.empty(8 * BLOCK, np.float32)
        for start in range(group * GROUP, min(total, (group + 1) * GROUP), BLOCK):
            count = min(BLOCK, total - start)
            locate(position, start, count, scale[level], side[level], dense[level], mask[level], offset[level], row, fraction)
            for feature in range(width):
                first = (level * width + feature) * total + start
                value = features[first : first + count]
                if with_jacobian:
                    jx = jacobian[first : first + count]
                    jy = jacobian[first + encoded * total : first + encoded * total + count]
                    jz = jacobian[first + 2 * encoded * total : first + 2 * encoded * total + count]
                else:
                    jx, jy, jz = value, value, value
                gather(table, row, np.uint32(width), np.uint32(feature), count, corner)
                interpolate(corner, fraction, count, scale[level], value, jx, jy, jz, with_jacobian)


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def spread(q, gx, gy, gz, fraction, count, scale, corner, with_jacobian):
    """Corner weights of a block: the transpose of `interpolate`, applied to the incoming gradients."""
    for i in range(count):
        X, Y, Z = fraction[i], fraction[BLOCK + i], fraction[2 * BLOCK + i]
        if with_jacobian:
            x, y, z = scale * gx[i], scale * gy[i], scale * gz[i]
        else:
            x, y, z = np.float32(0), np.float32(0), np.float32(0)
        c1 = q[i] * Z + z
        c0 = q[i] - c1
        e1 = y * Z
        e0 = y - e1
        b2, b3 = c0 * Y + e0, c1 * Y + e1
        b0, b1 = c0 - b2, c1 - b3
        h1 = x * Z
        h0 = x - h1
        d2, d3 = h0 * Y, h1 * Y
        t0, t1, t2, t3 = b0 * X + h0 - d2, b1 * X + h1 - d3, b2 * X + d2, b3 * X + d3
        corner[i], corner[4 * BLOCK + i] = b0 - t0, t0
        corner[BLOCK + i], corner[5 * BLOCK + i] = b1 - t1, t1
        corner[2 * BLOCK + i], corner[6 * BLOCK + i] = b2 - t2, t2
        corner[3 * BLOCK + i], corner[7 * BLOCK + i] = b3 - t3, t3


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", parallel=True)
def _backward_table(position, scale, side, dense, mask, offset, width, incoming, incoming_jacobian, with_jacobian, gradient):
    total = position.size // 3
    encoded = scale.size * width
    for level in numba.prange(scale.size):
        row = np.empty(8 * BLOCK, np.uint32)
        fraction = np.empty(3 * BLOCK, np.float32)
        corner = np.empty(8 * BLOCK, np.float32)
        for start in range(0, total, BLOCK):
            count = min(BLOCK, total - start)
            locate(position, start, count, scale[level], side[level], dense[level], mask[level], offset[level], row, fraction)
            for feature in range(width):
                first = (level * width + feature) * total + start
                q = incoming[first : first + count]
                if with_jacobian:
                    gx = incoming_jacobian[first : first + count]
                    gy = incoming_jacobian[first + encoded * total : first + encoded * total + count]
                    gz = incoming_jacobian[first + 2 * encoded * total : first + 2 * encoded * total + count]
                else:
                    gx, gy, gz = q, q, q
                spread(q, gx, gy, gz, fraction, count, scale[level], corner, with_jacobian)
                for k in range(8):
                    rows = row[k * BLOCK : (k + 1) * BLOCK]
                    values = corner[k * BLOCK : (k + 1) * BLOCK]
                    for i in range(count):
                        gradient[np.uint32(rows[i] * np.uint32(width) + np.uint32(feature))] += values[i]


@numba.njit(cache=True, fastmath=FAST, error_model="numpy")
def add_position_gradient(corner, fraction, count, scale, q, gx, gy, gz, dx, dy, dz, with_jacobian):
    """Adds the gradient to the positions of a block: slopes, and the mixed second derivatives (the pure ones are 0)."""
    for i in range(count):
        X, Y, Z = fraction[i], fraction[BLOCK + i], fraction[2 * BLOCK + i]
        a0, a1, a2, a3 = corner[i], corner[BLOCK + i], corner[2 * BLOCK + i], corner[3 * BLOCK + i]
        d0, d1 = corner[4 * BLOCK + i] - a0, corner[5 * BLOCK + i] - a1
        d2, d3 = corner[6 * BLOCK + i] - a2, corner[7 * BLOCK + i] - a3
        e0, e1 = a2 + X * d2 - a0 - X * d0, a3 + X * d3 - a1 - X * d1
        p0, p1 = d2 - d0, d3 - d1
        g0, g1 = d0 + Y * p0, d1 + Y * p1
        c10 = a1 + X * d1 + Y * e1 - a0 - X * d0 - Y * e0
        weight = q[i] * scale
        dx[i] += weight * (g0 + Z * (g1 - g0))
        dy[i] += weight * (e0 + Z * (e1 - e0))
        dz[i] += weight * c10
        if with_jacobian:
            square = scale * scale
            xy, xz, yz = square * (p0 + Z * (p1 - p0)), square * (g1 - g0), square * (e1 - e0)
            dx[i] += gy[i] * xy + gz[i] * xz
            dy[i] += gx[i] * xy + gz[i] * yz
            dz[i] += gx[i] * xz + gy[i] * yz


@numba.njit(cache=True, fastmath=FAST, error_model="numpy", parallel=True)
def _backward_points(position, table, scale, side, dense, mask, offset, width, incoming, incoming_jacobian, with_jacobian, gradient):
    total = position.size // 3
    encoded = scale.size * width
    for block in numba.prange((total + BLOCK - 1) // BLOCK):
        row = np.empty(8 * BLOCK, np.uint32)
        fraction = np.empty(3 * BLOCK, np.float32)
        corner = np.empty(8 * BLOCK, np.float32)
        start = block * BLOCK
        count = min(BLOCK, total - start)
        dx = gradient[start : start + count]
        dy = gradient[total + start : total + start + count]
        dz = gradient[2 * total + start : 2 * total + start + count]
        for level in range(scale.size):
            locate(position, start, count, scale[level], side[level], dense[level], mask[level], offset[level], row, fraction)
            for feature in range(width):
                first = (level * width + feature) * total + start
                q = incoming[first : first + count]
                if with_jacobian:
                    gx = incoming_jacobian[first : first + count]
                    gy = incoming_jacobian[first + encoded * total : first + encoded * total + count]
                    gz = incoming_jacobian[first + 2 * encoded * total : first + 2 * encoded * total + count]
                else:
                    gx, gy, gz = q, q, q
                gather(table, row, np.uint32(width), np.uint32(feature), count, corner)
                add_position_gradient(corner, fraction, count, scale[level], q, gx, gy, gz, dx, dy, dz, with_jacobian)
