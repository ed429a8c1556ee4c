"""Rays through a signed distance grid: the closest approach of each (its signed distance to the silhouette), and the first hit."""

import numpy as np
from numba import njit, prange


@njit(cache=True, inline="always")
def _sample(grid, x, y, z):  # type: ignore[no-untyped-def]
    """Trilinear value at grid coordinates; outside the grid, the value at its border."""
    nx, ny, nz = grid.shape
    x = min(max(x, 0.0), nx - 1.001)
    y = min(max(y, 0.0), ny - 1.001)
    z = min(max(z, 0.0), nz - 1.001)
    i, j, k = int(x), int(y), int(z)
    a, b, c = x - i, y - j, z - k
    low = (grid[i, j, k] * (1 - a) + grid[i + 1, j, k] * a) * (1 - b) + (grid[i, j + 1, k] * (1 - a) + grid[i + 1, j + 1, k] * a) * b
    high = (grid[i, j, k + 1] * (1 - a) + grid[i + 1, j, k + 1] * a) * (1 - b) + (grid[i, j + 1, k + 1] * (1 - a) + grid[i + 1, j + 1, k + 1] * a) * b
    return low * (1 - c) + high * c


@njit(cache=True)
def _box_span(origin, direction, upper):  # type: ignore[no-untyped-def]
    """Entry and exit of a ray (grid coordinates) through the box [0, upper]; entry > exit where it misses."""
    near, far = 0.0, 1e30
    for axis in range(3):
        if abs(direction[axis]) < 1e-12:
            if origin[axis] < 0 or origin[axis] > upper[axis]:
                return 1.0, 0.0
            continue
        a = -origin[axis] / direction[axis]
        b = (upper[axis] - origin[axis]) / direction[axis]
        near, far = max(near, min(a, b)), min(far, max(a, b))
    return near, far


@njit(cache=True)
def approach(grid, spacing, origin, direction, stop_inside):  # type: ignore[no-untyped-def]
    """Smallest signed distance along a ray, where it is, and the first hit (parameters along the ray; hit -1 where there is none).

    `origin` and `direction` are in grid coordinates (direction of unit length), the distance is in metres. The step is what a
    1-Lipschitz field needs to go below the smallest value so far, at least 0.7 nodes. A ray that misses the grid: 1e3.
    """
    upper = np.array([grid.shape[0] - 1.0, grid.shape[1] - 1.0, grid.shape[2] - 1.0])
    near, far = _box_span(origin, direction, upper)
    smallest, where, hit = 1e3, -1.0, -1.0
    along = near
    while along <= far:
        value = _sample(grid, origin[0] + along * direction[0], origin[1] + along * direction[1], origin[2] + along * direction[2])
        if value < smallest:
            smallest, where = value, along
        if value < 0 and hit < 0:
            hit = along
            if stop_inside:
                break
        along += max(0.7, (value - smallest) / spacing)
    return smallest, where, hit


@njit(parallel=True, cache=True)
def silhouette_agreement(grid, lower, spacing, rotation, translation, intrinsics, labels, stride):  # type: ignore[no-untyped-def]
    """Intersection and union (pixels) of the hull's silhouette with the object label, pixels of a hand left out; per frame."""
    fx, fy, cx, cy = intrinsics
    frames, height, width = labels.shape
    both = np.zeros(frames)
    either = np.zeros(frames)
    for f in prange(frames):
        r, t = rotation[f], translation[f]
        left, top, right, bottom = 1e9, 1e9, -1e9, -1e9
        behind = False
        for corner in range(8):
            p = np.empty(3)
            for axis in range(3):
                p[axis] = lower[axis] + ((corner >> axis) & 1) * (grid.shape[axis] - 1) * spacing
            depth = r[2, 0] * p[0] + r[2, 1] * p[1] + r[2, 2] * p[2] + t[2]
            if depth < 0.02:
                behind = True
                continue
            u = fx * (r[0, 0] * p[0] + r[0, 1] * p[1] + r[0, 2] * p[2] + t[0]) / depth + cx
            v = fy * (r[1, 0] * p[0] + r[1, 1] * p[1] + r[1, 2] * p[2] + t[1]) / depth + cy
            left, right, top, bottom = min(left, u), max(right, u), min(top, v), max(bottom, v)
        origin, direction = np.empty(3), np.empty(3)
        for axis in range(3):
            origin[axis] = (-(r[0, axis] * t[0] + r[1, axis] * t[1] + r[2, axis] * t[2]) - lower[axis]) / spacing
        for row in range(stride // 2, height, stride):
            for column in range(stride // 2, width, stride):
                label = labels[f, row, column]
                if label > 1:
                    continue
                u, v = column + 0.5, row + 0.5
                drawn = False
                if behind or (left <= u <= right and top <= v <= bottom):
                    a, b = (u - cx) / fx, (v - cy) / fy
                    length = np.sqrt(a * a + b * b + 1)
                    for axis in range(3):
                        direction[axis] = (r[0, axis] * a + r[1, axis] * b + r[2, axis]) / length
                    drawn = approach(grid, spacing, origin, direction, True)[2] >= 0
                if drawn or label == 1:
                    either[f] += 1
                    if drawn and label == 1:
                        both[f] += 1
    return both, either


@njit(parallel=True, cache=True)
def first_hits(grid, lower, spacing, rotation, translation, intrinsics, pixels, pixel_frame):  # type: ignore[no-untyped-def]
    """Object-frame points where pixels' rays enter the hull; NaN where they miss."""
    fx, fy, cx, cy = intrinsics
    points = np.full((len(pixels), 3), np.nan)
    for n in prange(len(pixels)):
        r, t = rotation[pixel_frame[n]], translation[pixel_frame[n]]
        a, b = (pixels[n, 0] - cx) / fx, (pixels[n, 1] - cy) / fy
        length = np.sqrt(a * a + b * b + 1)
        origin, direction = np.empty(3), np.empty(3)
        for axis in range(3):
            origin[axis] = (-(r[0, axis] * t[0] + r[1, axis] * t[1] + r[2, axis] * t[2]) - lower[axis]) / spacing
            direction[axis] = (r[0, axis] * a + r[1, axis] * b + r[2, axis]) / length
        hit = approach(grid, spacing, origin, direction, True)[2]
        if hit >= 0:
            for axis in range(3):
                points[n, axis] = lower[axis] + spacing * (origin[axis] + hit * direction[axis])
    return points


@njit(parallel=True, cache=True)
def closest_approaches(grid, lower, spacing, rotation, translation, intrinsics, pixels, pixel_frame):  # type: ignore[no-untyped-def]
    """Smallest signed distance to the hull along each pixel's ray, metres (negative where it is met; 1e3 where it misses the grid), and the point there.

    Points are in the object frame; NaN where the ray misses the grid.
    """
    fx, fy, cx, cy = intrinsics
    smallest, points = np.empty(len(pixels)), np.full((len(pixels), 3), np.nan)
    for n in prange(len(pixels)):
        r, t = rotation[pixel_frame[n]], translation[pixel_frame[n]]
        a, b = (pixels[n, 0] - cx) / fx, (pixels[n, 1] - cy) / fy
        length = np.sqrt(a * a + b * b + 1)
        origin, direction = np.empty(3), np.empty(3)
        for axis in range(3):
            origin[axis] = (-(r[0, axis] * t[0] + r[1, axis] * t[1] + r[2, axis] * t[2]) - lower[axis]) / spacing
            direction[axis] = (r[0, axis] * a + r[1, axis] * b + r[2, axis]) / length
        value, where, _ = approach(grid, spacing, origin, direction, False)
        smallest[n] = value
        if where >= 0:
            for axis in range(3):
                points[n, axis] = lower[axis] + spacing * (origin[axis] + where * direction[axis])
    return smallest, points


@njit(cache=True)
def _robust(residual, scale):  # type: ignore[no-untyped-def]
    """Weight and cost of Geman-McClure, rho = s^2 r^2 / (s^2 + r^2)."""
    share = scale * scale / (scale * scale + residual * residual)
    return share * share, share * residual * residual


@njit(parallel=True, cache=True)
def normal_equations(grid, lower, spacing, colours, colour_weight, rotation, translation, intrinsics, pixels, kind, pixel_colour, frame_start, scales):  # type: ignore[no-untyped-def]
    """Gauss-Newton blocks (6x6, 6, cost) per frame for the increment T <- T Exp(rotation, translation), object frame.

    kind 0: contour, the ray must graze the hull; 1: object, must not miss it; 2: background, must not meet it. A ray's residual is its
    closest approach in metres over scales[0]; by the envelope theorem its gradient is the field's at the closest point. Object pixels
    that hit also compare their colour with the hull's, over scales[1]. scales[2:] are the robust scales and the colour's weight.
    """
    fx, fy, cx, cy = intrinsics
    frames = len(rotation)
    H = np.zeros((frames, 6, 6))
    g = np.zeros((frames, 6))
    cost = np.zeros(frames)
    for f in prange(frames):
        r, t = rotation[f], translation[f]
        origin, direction, point, row, normal = np.empty(3), np.empty(3), np.empty(3), np.empty(6), np.empty(3)
        for axis in range(3):
            origin[axis] = (-(r[0, axis] * t[0] + r[1, axis] * t[1] + r[2, axis] * t[2]) - lower[axis]) / spacing
        for n in range(frame_start[f], frame_start[f + 1]):
            a, b = (pixels[n, 0] - cx) / fx, (pixels[n, 1] - cy) / fy
            length = np.sqrt(a * a + b * b + 1)
            for axis in range(3):
                direction[axis] = (r[0, axis] * a + r[1, axis] * b + r[2, axis]) / length
            smallest, where, hit = approach(grid, spacing, origin, direction, False)
            if where < 0:
                cost[f] += scales[2] * scales[2] if kind[n] != 2 else 0.0
                continue
            if kind[n] == 0 or (kind[n] == 1 and smallest > 0) or (kind[n] == 2 and smallest < 0):
                for axis in range(3):
                    point[axis] = origin[axis] + where * direction[axis]
                for axis in range(3):
                    ahead, back = point.copy(), point.copy()
                    ahead[axis] += 0.5
                    back[axis] -= 0.5
                    normal[axis] = (_sample(grid, ahead[0], ahead[1], ahead[2]) - _sample(grid, back[0], back[1], back[2])) / spacing
                _add_row(H[f], g[f], cost, f, normal, lower + spacing * point, smallest / scales[0], scales[0], scales[2], 1.0, row)
            if kind[n] == 1 and hit >= 0 and scales[4] > 0:
                for axis in range(3):
                    point[axis] = origin[axis] + hit * direction[axis]
                if _sample(colour_weight, point[0], point[1], point[2]) < 0.5:
                    continue
                for channel in range(3):
                    volume = colours[channel]
                    for axis in range(3):
                        ahead, back = point.copy(), point.copy()
                        ahead[axis] += 0.7
                        back[axis] -= 0.7
                        normal[axis] = (_sample(volume, ahead[0], ahead[1], ahead[2]) - _sample(volume, back[0], back[1], back[2])) / (1.4 * spacing)
                    residual = _sample(volume, point[0], point[1], point[2]) - pixel_colour[n, channel]
                    _add_row(H[f], g[f], cost, f, normal, lower + spacing * point, residual / scales[1], scales[1], scales[3], scales[4], row)
    return H, g, cost


@njit(cache=True)
def _add_row(H, g, cost, f, gradient, point, residual, unit, robust_scale, share, row):  # type: ignore[no-untyped-def]
    """One residual: the point (object frame) moves by -(rotation x point) - translation."""
    row[0] = -(point[1] * gradient[2] - point[2] * gradient[1]) / unit
    row[1] = -(point[2] * gradient[0] - point[0] * gradient[2]) / unit
    row[2] = -(point[0] * gradient[1] - point[1] * gradient[0]) / unit
    for axis in range(3):
        row[3 + axis] = -gradient[axis] / unit
    weight, value = _robust(residual, robust_scale)
    cost[f] += share * value
    for i in range(6):
        g[i] += share * weight * row[i] * residual
        for j in range(6):
            H[i, j] += share * weight * row[i] * row[j]
