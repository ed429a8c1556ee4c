"""Where a shape of a known kind lies in an object's frame, how large and of which form it is: by silhouettes and by the hand that holds it.

Posing a template by its silhouettes and by what it may not pass through is the last step of CHORE (Xie et al. 2022, section 3.4); here without
learned fields, since the poses of the clip are known up to where the template lies in the object's frame.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import cho_factor, cho_solve

from hoifield.observations.measure_by_depth import scale_hull
from hoifield.observations.pose_offsets import compose_offset
from hoifield.observations.refine_silhouettes import INSIDE, OUTSIDE, RefineConfig, SilhouetteRays, agreement, align_as_one, gather_rays
from hoifield.observations.silhouette_rays import closest_approaches
from hoifield.observations.visual_hull import HullGrid, SilhouetteEvidence, take_frames
from hoifield.shapes.shape_space import FURTHEST, Coordinates, ShapeSpace

NODES = 44
"""Of the grid of distances along the shape's longest side."""
ABOUT = 0.3
"""Of the longest side, by which the grid is larger on each side: a ray that passes the grid cannot say where the shape ought to go."""
STEP, NUDGE = 3e-3, 0.1
"""Of the longest side, and of a coordinate, by which distances are differenced."""
PASSING, GAP = 0.004, 0.006
"""Metres that the hand may be inside the shape, and a pad that touches off it."""
BODY = 8
"""Every so many vertices of the hand ask for room."""
RAY_SCALE = 3.0
"""Units from which a ray counts less and less."""
BLURS = (4.0, 1.0)
"""Units of a ray, one after the other, over the usual one."""
ON, WITHIN, BEYOND = 0, 1, -1
HAND_RAYS = 1.0
"""Independent pieces of evidence that the touching pads of one frame are worth; passing through counts four times as much."""
MOVING = 8
"""Steps towards the silhouettes, each time a place is moved."""
SPREADS = (1.12, 1.06, 1.03, 1.015)
"""Factors by which larger and smaller shapes are tried, one after the other."""
LIMITS = np.array([0.2, 0.2, 0.2, 0.02, 0.02, 0.02, 0.05])
"""Most that one step changes: radians, metres, logarithm of the size."""
ENOUGH = 1e-3
"""Share of the cost by which a step must be better for another to follow."""


@dataclass(frozen=True)
class HeldBy:
    """The hand that holds the object in the evidence's frames."""

    vertices: Float[np.ndarray, "frame vertex 3"]
    """Camera frame, metres; NaN where the hand has no pose."""
    pads: Int[np.ndarray, "pad"]
    """Vertices of the zones that touch what is held."""


@dataclass(frozen=True)
class ShapePlace:
    """A shape in the object's frame: its point p lies there at T_object_shape (size p)."""

    T_object_shape: Float[np.ndarray, "4 4"]
    """Rigid; the shape's frame is its own."""
    size: float
    coordinates: Coordinates
    doubt: float = np.inf
    """What speaks against it, by the same evidence: what the silhouettes lack in overlap with the masks, and the share of the hand inside the shape."""

    def stepped(self, step: Float[np.ndarray, "unknown"]) -> "ShapePlace":
        """After one step of the descent."""
        limits = np.concatenate([LIMITS, np.full(len(step) - len(LIMITS), 0.5)])
        step = np.clip(step, -limits, limits)
        T = compose_offset(self.T_object_shape[None], step[None, :6])[0]
        return ShapePlace(T, self.size * float(np.exp(step[6])), np.clip(self.coordinates + step[7:], -FURTHEST, FURTHEST))


@dataclass(frozen=True)
class PlaceEvidence:
    """What every place is held against."""

    silhouettes: SilhouetteEvidence
    rays: SilhouetteRays
    poses: Float[np.ndarray, "frame 4 4"]
    """T_camera_object."""
    hand: HeldBy | None
    size: float
    """What the size is expected to be."""
    size_spread: float
    """Standard deviation of its logarithm."""
    stride: int = 2
    """Of the pixels by which places are compared."""

    def every(self, step: int) -> "PlaceEvidence":
        """The same with every so many frames, and fewer pixels of them."""
        chosen = np.arange(len(self.poses)) % step == 0
        silhouettes = take_frames(self.silhouettes, chosen)
        hand = None if self.hand is None else HeldBy(self.hand.vertices[chosen], self.hand.pads)
        return PlaceEvidence(silhouettes, gather_rays(silhouettes, 0), self.poses[chosen], hand, self.size, self.size_spread, stride=5)

    def judged(self, grid: HullGrid, place: ShapePlace) -> ShapePlace:
        """The place with what speaks against it; `grid` is of its form, not sized."""
        sized, posed = scale_hull(grid, place.size), self.poses @ place.T_object_shape
        overlap = float(np.nanmean(agreement(sized, self.silhouettes, posed, self.stride)))
        if self.hand is None:
            return replace(place, doubt=1 - overlap)
        inside = sized.at(self._local_hand(posed).reshape(-1, 3)) < -PASSING
        return replace(place, doubt=1 - overlap + float(inside.mean()) if len(inside) else 1 - overlap)

    def moved(self, grid: HullGrid, place: ShapePlace) -> ShapePlace:
        """The place after a few steps towards the silhouettes, size and form held."""
        T = align_as_one(self.silhouettes, self.rays, scale_hull(grid, place.size), self.poses, place.T_object_shape, MOVING)
        return self.judged(grid, replace(place, T_object_shape=T))

    def settle(self, grid: HullGrid, place: ShapePlace) -> ShapePlace:
        """The place moved and sized by turns, as long as that is better; the form is held."""
        place = self.judged(grid, place)
        for spread in SPREADS:
            sizes = [replace(place, size=place.size * factor) for factor in (1 / spread, 1.0, spread)]
            place = min((place, *(self.moved(grid, one) for one in sizes)), key=lambda one: one.doubt)
        return place

    def descend(self, space: ShapeSpace, place: ShapePlace, steps: int) -> ShapePlace:
        """Turn, place, size and form together, by Levenberg-Marquardt; at first what is far off counts too."""
        for blur in BLURS:
            damping = 1e-2
            H, g, cost = self._system(space, place, blur)
            for _ in range(steps):
                candidate = place.stepped(-cho_solve(cho_factor(H + damping * np.diag(np.diag(H))), g))
                attempt = self._system(space, candidate, blur)
                if attempt[2] < cost:
                    gained = cost - attempt[2]
                    place, (H, g, cost), damping = candidate, attempt, damping * 0.3
                    if gained < ENOUGH * cost:
                        break
                else:
                    damping *= 10.0
        return self.judged(tabulate(space, place.coordinates), place)

    def _local_hand(self, posed: Float[np.ndarray, "frame 4 4"]) -> Float[np.ndarray, "posed vertex 3"]:
        """Vertices of the hand in the shape's frame (metres), of the frames that have them."""
        assert self.hand is not None
        known = np.isfinite(self.hand.vertices[:, 0, 0])
        return np.einsum("fij,fvi->fvj", posed[known, :3, :3], self.hand.vertices[known] - posed[known, None, :3, 3])

    def _system(self, space: ShapeSpace, place: ShapePlace, blur: float) -> tuple[np.ndarray, np.ndarray, float]:
        """Gauss-Newton matrix, gradient and cost. Unknowns: turn and shift in the shape's frame, logarithm of the size, coordinates."""
        asked = self._demand(space, place, blur)
        distance, J = _linearise(space, place, asked.points)
        residual = np.select([asked.ask == WITHIN, asked.ask == BEYOND], [np.maximum(distance, 0), np.minimum(distance, 0)], distance) / asked.unit
        J *= ((residual != 0) / asked.unit)[:, None]
        # Geman-McClure
        share = asked.robust**2 / (asked.robust**2 + residual**2)
        pull = (asked.weight * share**2)[:, None]
        H, g = (J * pull).T @ J, (J * pull).T @ residual
        cost = asked.lost + float((asked.weight * share * residual**2).sum())
        off = np.log(place.size / self.size) / self.size_spread
        H[6, 6] += self.size_spread**-2
        g[6] += off / self.size_spread
        form = np.arange(7, len(g))
        H[form, form] += 1.0
        g[7:] += place.coordinates
        return H + 1e-9 * np.eye(len(g)), g, cost + off**2 + float(place.coordinates @ place.coordinates)

    def _demand(self, space: ShapeSpace, place: ShapePlace, blur: float) -> "_Demand":
        config, rays = RefineConfig(), self.rays
        grid, posed = scale_hull(tabulate(space, place.coordinates), place.size), self.poses @ place.T_object_shape
        rotation, translation = np.ascontiguousarray(posed[:, :3, :3]), np.ascontiguousarray(posed[:, :3, 3])
        K = self.silhouettes.camera.K
        intrinsics = (float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2]))
        _, near = closest_approaches(grid.signed_distance, grid.lower, grid.spacing, rotation, translation, intrinsics, rays.pixels, rays.frame)
        met = np.isfinite(near[:, 0])
        weight = config.independent_share * self.silhouettes.weight[rays.frame]
        ask = np.select([rays.kind == INSIDE, rays.kind == OUTSIDE], [WITHIN, BEYOND], ON)
        lost = float(weight[~met & (ask != BEYOND)].sum()) * RAY_SCALE**2
        pixel = blur * config.contour_pixels * float(np.median(posed[:, 2, 3])) / self.silhouettes.camera.focal
        demand = _Demand(near[met], ask[met], np.full(met.sum(), pixel), weight[met], np.full(met.sum(), RAY_SCALE), lost)
        if self.hand is None:
            return demand
        # beside rays in larger units, the hand would decide
        local, worth = self._local_hand(posed), HAND_RAYS / blur**2
        return demand.with_points(local[:, ::BODY], BEYOND, PASSING, 4 * worth, 10.0).with_points(local[:, self.hand.pads], WITHIN, GAP, worth, 2.0)


@dataclass(frozen=True)
class _Demand:
    """Points that ought to be on the shape, within it or beyond it, and how much each counts."""

    points: Float[np.ndarray, "point 3"]
    """The shape's frame, metres."""
    ask: Int[np.ndarray, "point"]
    unit: Float[np.ndarray, "point"]
    """Metres."""
    weight: Float[np.ndarray, "point"]
    robust: Float[np.ndarray, "point"]
    """Units from which a residual counts less and less."""
    lost: float
    """Cost of the rays that pass the shape altogether."""

    def with_points(self, points: Float[np.ndarray, "frame vertex 3"], ask: int, unit: float, worth: float, robust: float) -> "_Demand":
        """And these, of which each frame's are worth so many independent ones."""
        count, each = points.shape[0] * points.shape[1], worth / max(points.shape[1], 1)
        columns = ((self.ask, ask), (self.unit, unit), (self.weight, each), (self.robust, robust))
        joined = [np.concatenate([old, np.full(count, new, old.dtype)]) for old, new in columns]
        return _Demand(np.concatenate([self.points, points.reshape(-1, 3)]), joined[0], joined[1], joined[2], joined[3], self.lost)


def tabulate(space: ShapeSpace, coordinates: Coordinates, nodes: int = NODES) -> HullGrid:
    """Signed distances about a shape, its own frame and units."""
    lower, upper = space.box(coordinates)
    longest = float((upper - lower).max())
    spacing, lower = longest / nodes, lower - ABOUT * longest
    counts = [int(count) for count in np.ceil((upper + ABOUT * longest - lower) / spacing) + 1]
    points = np.indices(counts).reshape(3, -1).T * spacing + lower
    return HullGrid(space.distance(points, coordinates).reshape(counts).astype(np.float32), lower, spacing)


def _linearise(
    space: ShapeSpace, place: ShapePlace, points: Float[np.ndarray, "point 3"]
) -> tuple[Float[np.ndarray, "point"], Float[np.ndarray, "point unknown"]]:
    """Distances (metres) of points of the sized shape's frame that stay in space while turn, shift, size and form change."""
    size, own = place.size, points / place.size
    lower, upper = space.box(place.coordinates)
    step = STEP * float((upper - lower).max())
    distance = space.distance(own, place.coordinates)
    normal = np.stack([(space.distance(own + step * axis, place.coordinates) - distance) / step for axis in np.eye(3)], 1)
    J = np.empty((len(points), 7 + space.unknowns))
    J[:, :3], J[:, 3:6] = -np.cross(points, normal), -normal
    J[:, 6] = size * distance - (points * normal).sum(1)
    for number, axis in enumerate(np.eye(space.unknowns)):
        J[:, 7 + number] = size * (space.distance(own, place.coordinates + NUDGE * axis) - distance) / NUDGE
    return size * distance, J
