"""The hash-grid encoding on CUDA: Triton kernels, one program a block of points and a level, with a hand-written backward.

Corners are summed with their weights instead of the tree of the CPU's kernels: on a GPU the gathers cost, not the arithmetic. The scatter to
the table adds atomically, so that two runs differ in the last digits. Triton comes with PyTorch's CUDA build; its interpreter
(TRITON_INTERPRET=1) serves the CPU, which is how the kernels are tested without a GPU.
"""

from functools import lru_cache

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from hoifield.fields.hash_grid_layout import HASH_PRIME_Y, HASH_PRIME_Z, HashGridLayout

PRIME_Y = tl.constexpr(HASH_PRIME_Y)
PRIME_Z = tl.constexpr(HASH_PRIME_Z)
BLOCK = 256
"""Points of one program."""


def encode_triton(
    points: Float[Tensor, "point 3"], table: Float[Tensor, "entry feature"], layout: HashGridLayout, with_jacobian: bool
) -> tuple[Float[Tensor, "encoded point"], Float[Tensor, "axis encoded point"]]:
    """Features and their derivatives to the three coordinates, feature first, like `encode_torch`; float32 on CUDA.

    `points` must be finite and lie in [0, 1]: the kernels check no bounds. Without the Jacobian its array has no axis.
    """
    return _EncodeTriton.apply(points, table, layout, with_jacobian)


class _EncodeTriton(torch.autograd.Function):
    @staticmethod
    def forward(ctx, points, table, layout, with_jacobian):
        rows = points.detach().t().contiguous()
        entries = table.detach().contiguous()
        count = rows.shape[1]
        features = rows.new_empty(layout.encoded, count)
        jacobian = rows.new_empty(3 if with_jacobian else 0, layout.encoded, count)
        if count:
            grid = (triton.cdiv(count, BLOCK), layout.levels)
            shape = (count, layout.levels, layout.features, with_jacobian, BLOCK)
            encode_kernel[grid](rows, entries, *level_tensors(layout, rows.device), features, jacobian, *shape)
        ctx.save_for_backward(rows, entries)
        ctx.layout = layout
        ctx.with_jacobian = with_jacobian
        return features, jacobian

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient_features, gradient_jacobian):
        rows, entries = ctx.saved_tensors
        layout, count = ctx.layout, rows.shape[1]
        incoming = (gradient_features.contiguous(), gradient_jacobian.contiguous())
        shape = (count, layout.levels, layout.features, ctx.with_jacobian, BLOCK)
        levels = level_tensors(layout, rows.device)
        gradient_points = gradient_table = None
        if ctx.needs_input_grad[1]:
            gradient_table = torch.zeros_like(entries)
            if count:
                table_gradient_kernel[triton.cdiv(count, BLOCK), layout.levels](rows, *levels, *incoming, gradient_table, *shape)
        if ctx.needs_input_grad[0]:
            by_axis = torch.zeros_like(rows)
            if count:
                point_gradient_kernel[(triton.cdiv(count, BLOCK),)](rows, entries, *levels, *incoming, by_axis, *shape)
            gradient_points = by_axis.t()
        return gradient_points, gradient_table, None, None


@lru_cache(maxsize=16)
def level_tensors(layout: HashGridLayout, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Scale, vertices per axis, density, mask of the hash and offset of every level, as the kernels read them."""
    shapes = layout.level_shapes
    return (
        torch.tensor([shape.scale for shape in shapes], dtype=torch.float32, device=device),
        torch.tensor([shape.side for shape in shapes], dtype=torch.int32, device=device),
        torch.tensor([shape.dense for shape in shapes], dtype=torch.int32, device=device),
        torch.tensor([shape.size - 1 for shape in shapes], dtype=torch.int32, device=device),
        torch.tensor([shape.offset for shape in shapes], dtype=torch.int32, device=device),
    )


@triton.jit
def _level(scales, sides, denses, masks, offsets, level):
    """One level of `level_tensors`."""
    return tl.load(scales + level), tl.load(sides + level), tl.load(denses + level), tl.load(masks + level), tl.load(offsets + level)


@triton.jit
def _locate(points, point, inside, count, scale):
    """Cell and fractions within it of a block of points on a level."""
    x = tl.load(points + point, mask=inside, other=0.0) * scale + 0.5
    y = tl.load(points + count + point, mask=inside, other=0.0) * scale + 0.5
    z = tl.load(points + 2 * count + point, mask=inside, other=0.0) * scale + 0.5
    i, j, k = x.to(tl.int32), y.to(tl.int32), z.to(tl.int32)
    return i, j, k, x - i.to(tl.float32), y - j.to(tl.float32), z - k.to(tl.float32)


@triton.jit
def _corner(i, j, k, X, Y, Z, corner: tl.constexpr, side, dense, mask, offset):
    """Table row of a corner (4x + 2y + z) of each cell, with the weight and the slope of the weight along each axis."""
    a: tl.constexpr = corner // 4
    b: tl.constexpr = corner // 2 % 2
    c: tl.constexpr = corner % 2
    x, y, z = (i + a).to(tl.uint32), (j + b).to(tl.uint32), (k + c).to(tl.uint32)
    unsigned = side.to(tl.uint32)
    direct = x + y * unsigned + z * unsigned * unsigned
    hashed = (x ^ (y * PRIME_Y) ^ (z * PRIME_Z)) & mask.to(tl.uint32)
    row = tl.where(dense != 0, direct, hashed).to(tl.int32) + offset
    wx = X if a == 1 else 1.0 - X
    wy = Y if b == 1 else 1.0 - Y
    wz = Z if c == 1 else 1.0 - Z
    return row, wx, wy, wz, 2.0 * a - 1.0, 2.0 * b - 1.0, 2.0 * c - 1.0


@triton.jit
def encode_kernel(
    points, table, scales, sides, denses, masks, offsets, features, jacobian,
    count, levels: tl.constexpr, width: tl.constexpr, with_jacobian: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    """Features of a block of points on one level, and their Jacobian."""
    point = tl.program_id(0) * block + tl.arange(0, block)
    level = tl.program_id(1)
    inside = point < count
    scale, side, dense, mask, offset = _level(scales, sides, denses, masks, offsets, level)
    i, j, k, X, Y, Z = _locate(points, point, inside, count, scale)
    for feature in tl.static_range(width):
        value = tl.zeros([block], tl.float32)
        jx, jy, jz = tl.zeros([block], tl.float32), tl.zeros([block], tl.float32), tl.zeros([block], tl.float32)
        for corner in tl.static_range(8):
            row, wx, wy, wz, sx, sy, sz = _corner(i, j, k, X, Y, Z, corner, side, dense, mask, offset)
            v = tl.load(table + row * width + feature, mask=inside, other=0.0)
            value += wx * wy * wz * v
            if with_jacobian:
                jx += sx * wy * wz * v
                jy += wx * sy * wz * v
                jz += wx * wy * sz * v
        at = tl.cast(level * width + feature, tl.int64) * count + point
        tl.store(features + at, value, mask=inside)
        if with_jacobian:
            axis = tl.cast(levels * width, tl.int64) * count
            tl.store(jacobian + at, scale * jx, mask=inside)
            tl.store(jacobian + axis + at, scale * jy, mask=inside)
            tl.store(jacobian + 2 * axis + at, scale * jz, mask=inside)


@triton.jit
def _incoming(gradient, gradient_jacobian, at, axis, inside, with_jacobian: tl.constexpr):
    """Gradients to one feature of a block of points, and to its three slopes."""
    q = tl.load(gradient + at, mask=inside, other=0.0)
    gx, gy, gz = tl.zeros_like(q), tl.zeros_like(q), tl.zeros_like(q)
    if with_jacobian:
        gx = tl.load(gradient_jacobian + at, mask=inside, other=0.0)
        gy = tl.load(gradient_jacobian + axis + at, mask=inside, other=0.0)
        gz = tl.load(gradient_jacobian + 2 * axis + at, mask=inside, other=0.0)
    return q, gx, gy, gz


@triton.jit
def table_gradient_kernel(
    points, scales, sides, denses, masks, offsets, incoming, incoming_jacobian, gradient,
    count, levels: tl.constexpr, width: tl.constexpr, with_jacobian: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    """Adds a block's gradients to the rows of the table that it read on one level."""
    point = tl.program_id(0) * block + tl.arange(0, block)
    level = tl.program_id(1)
    inside = point < count
    scale, side, dense, mask, offset = _level(scales, sides, denses, masks, offsets, level)
    i, j, k, X, Y, Z = _locate(points, point, inside, count, scale)
    axis = tl.cast(levels * width, tl.int64) * count
    for feature in tl.static_range(width):
        at = tl.cast(level * width + feature, tl.int64) * count + point
        q, gx, gy, gz = _incoming(incoming, incoming_jacobian, at, axis, inside, with_jacobian)
        for corner in tl.static_range(8):
            row, wx, wy, wz, sx, sy, sz = _corner(i, j, k, X, Y, Z, corner, side, dense, mask, offset)
            share = q * wx * wy * wz
            if with_jacobian:
                share += scale * (gx * sx * wy * wz + gy * wx * sy * wz + gz * wx * wy * sz)
            tl.atomic_add(gradient + row * width + feature, share, mask=inside)


@triton.jit
def point_gradient_kernel(
    points, table, scales, sides, denses, masks, offsets, incoming, incoming_jacobian, gradient,
    count, levels: tl.constexpr, width: tl.constexpr, with_jacobian: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    """Gradient to a block of points over all levels: slopes, and the mixed second derivatives (the pure ones are 0)."""
    point = tl.program_id(0) * block + tl.arange(0, block)
    inside = point < count
    dx, dy, dz = tl.zeros([block], tl.float32), tl.zeros([block], tl.float32), tl.zeros([block], tl.float32)
    axis = tl.cast(levels * width, tl.int64) * count
    for level in range(levels):
        scale, side, dense, mask, offset = _level(scales, sides, denses, masks, offsets, level)
        i, j, k, X, Y, Z = _locate(points, point, inside, count, scale)
        for feature in tl.static_range(width):
            at = tl.cast(level * width + feature, tl.int64) * count + point
            q, gx, gy, gz = _incoming(incoming, incoming_jacobian, at, axis, inside, with_jacobian)
            for corner in tl.static_range(8):
                row, wx, wy, wz, sx, sy, sz = _corner(i, j, k, X, Y, Z, corner, side, dense, mask, offset)
                v = scale * tl.load(table + row * width + feature, mask=inside, other=0.0)
                dx += q * sx * wy * wz * v
                dy += q * wx * sy * wz * v
                dz += q * wx * wy * sz * v
                if with_jacobian:
                    xy, xz, yz = scale * sx * sy * wz * v, scale * sx * wy * sz * v, scale * wx * sy * sz * v
                    dx += gy * xy + gz * xz
                    dy += gx * xy + gz * yz
                    dz += gx * xz + gy * yz
    tl.store(gradient + point, dx, mask=inside)
    tl.store(gradient + count + point, dy, mask=inside)
    tl.store(gradient + 2 * count + point, dz, mask=inside)
