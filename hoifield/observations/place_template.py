"""A known shape put in the place of the visual hull: one rotation, translation and size for the whole clip, then every frame by itself.

Posing a given template by its silhouettes and by what it may not pass through is the last step of CHORE (Xie et al. 2022, section 3.4); here without
learned fields, since the poses of the clip are known up to where the template sits in the object's frame.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from hoifield.geometry.cameras import Camera
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.geometry.rotations import matrix_from_axis_angle, rotation_angle
from hoifield.observations.frame_masks import FrameMasks
from hoifield.observations.measure_by_depth import scale_hull
from hoifield.observations.object_track import KnownShape, ObjectTrack
from hoifield.observations.pose_offsets import compose_offset
from hoifield.observations.refine_silhouettes import RefineConfig, SilhouetteRays, agreement, align_as_one, align_to_hull, gather_rays
from hoifield.observations.visual_hull import HullGrid, SilhouetteEvidence, gather_evidence, take_frames

ROTATIONS = 400
"""Turns tried, evenly spread: about 25 degrees from one to the next."""
METRES = (0.5, 2.0)
"""Of the hull's longest side: a template of that length is in metres; another one has units of its own, and starts as long as the hull."""
FRAMES = 24
"""Frames that the template is placed by; every third of them, to try turns on."""
AXES = 60
"""About which the best are turned the wrong way round, or the right one."""
COARSE_STRIDE = 5
SETTLED, FINALISTS = 20, 4
"""Candidates that are settled on a few frames, twice, and of these on all."""
LIKE = 0.2
"""Radians below which two candidates are one."""
SPREADS = (1.12, 1.06, 1.03, 1.015)
"""Factors by which larger and smaller templates are tried, one after the other."""
INSIDE = 0.004
"""Metres inside the template from which a vertex of the hand passes through it."""
NODES = 44
"""Of the grid of distances along the template's longest side."""
ABOUT = 0.25
"""Of the longest side, by which the grid is larger than the template on each side."""
GROUP = 60
"""Frames that are aligned together in the end."""
STEPS = 8
"""Towards the silhouettes, each time a place is moved."""
ONE_BY_ONE = RefineConfig(steps=6, pull_rotation=0.06, pull_translation=0.006, colour_share=0.0)


@dataclass(frozen=True)
class TemplatePlace:
    """Where the template sits in the frame of the object's poses: its point p is there at T (size p)."""

    T_object_template: Float[np.ndarray, "4 4"]
    size: float
    agreement: float
    """Mean overlap of its silhouettes with the masks, pixels of the hand left out."""
    passing: float
    """Share of the hand's vertices inside it."""

    @property
    def score(self) -> float:
        """More is better: of two places with like silhouettes, the one that leaves room for the hand."""
        return self.agreement - self.passing


@dataclass(frozen=True)
class TemplateSearch:
    """What every place is held against."""

    grid: HullGrid
    """Distances to the template, which has its middle at the origin."""
    evidence: SilhouetteEvidence
    rays: SilhouetteRays
    poses: Float[np.ndarray, "frame 4 4"]
    """T_camera_object of the evidence's frames."""
    hand: Float[np.ndarray, "frame vertex 3"]
    """Camera frame; NaN where the hand has no pose."""

    def every(self, step: int) -> "TemplateSearch":
        """The same with every so many frames."""
        chosen = np.arange(len(self.poses)) % step == 0
        evidence = take_frames(self.evidence, chosen)
        return TemplateSearch(self.grid, evidence, gather_rays(evidence, 0), self.poses[chosen], self.hand[chosen])

    def judge(self, T: Float[np.ndarray, "4 4"], size: float, stride: int) -> TemplatePlace:
        """A place with what speaks for it."""
        posed, grid = self.poses @ T, scale_hull(self.grid, size)
        overlap = float(np.nanmean(agreement(grid, self.evidence, posed, stride)))
        known = np.isfinite(self.hand[:, 0, 0])
        local = np.einsum("fij,fvi->fvj", posed[known, :3, :3], self.hand[known] - posed[known, None, :3, 3])
        return TemplatePlace(T, size, overlap, float((grid.at(local.reshape(-1, 3)) < -INSIDE).mean()) if known.any() else 0.0)

    def moved(self, place: TemplatePlace, stride: int) -> TemplatePlace:
        """The place after a few steps towards the silhouettes, at its size."""
        T = align_as_one(self.evidence, self.rays, scale_hull(self.grid, place.size), self.poses, place.T_object_template, STEPS)
        return self.judge(T, place.size, stride)

    def settle(self, place: TemplatePlace, stride: int) -> TemplatePlace:
        """The place moved and sized by turns, as long as that is better."""
        for spread in SPREADS:
            sizes = [replace(place, size=place.size * factor) for factor in (1 / spread, 1.0, spread)]
            place = max((place, *(self.moved(one, stride) for one in sizes)), key=lambda one: one.score)
        return place

    def try_turn(self, rotation: Float[np.ndarray, "3 3"], middle: Float[np.ndarray, "3"], size: float) -> TemplatePlace:
        """The template so turned and sized, moved from the middle of the hull."""
        T = np.eye(4)
        T[:3, :3], T[:3, 3] = rotation, middle
        return self.moved(TemplatePlace(T, size, 0.0, 0.0), COARSE_STRIDE)

    def find(self, middle: Float[np.ndarray, "3"], size: float) -> TemplatePlace:
        """The best place; `middle` is that of the hull, object frame, `size` a first guess."""
        few = self.every(3)
        tried = [few.try_turn(rotation, middle, size) for rotation in spread_rotations(ROTATIONS)]
        settled = few.settle_best(tried)
        # The wrong way round, silhouettes agree nearly as well, and no small step leads from there to the right one.
        turned = [few.moved(replace(place, T_object_template=place.T_object_template @ T), COARSE_STRIDE) for place in settled for T in half_turns(AXES)]
        finalists = _choose_unlike([*settled, *few.settle_best(turned)])
        return max((self.settle(place, 2) for place in finalists), key=lambda one: one.score)

    def settle_best(self, places: list[TemplatePlace]) -> list[TemplatePlace]:
        """The best of these, settled: those that differ."""
        best = sorted(places, key=lambda one: -one.score)[:SETTLED]
        return _choose_unlike([self.settle(place, COARSE_STRIDE) for place in best])


def place_template(
    track: ObjectTrack, template: Mesh, hand: Float[np.ndarray, "frame vertex 3"] | None, masks: FrameMasks, camera: Camera
) -> ObjectTrack:
    """The track with the template as its shape and with poses of the template, whose frame is moved to its middle and sized.

    `hand` are the vertices of the hand that holds it, if any (camera frame, NaN: no pose), `camera` is that of the clip, `template` watertight. Its
    size is free, since metres rest on the hand. Deterministic.
    """
    middle = (template.vertices.min(0) + template.vertices.max(0)) / 2
    grid = grid_of(Mesh(template.vertices - middle, template.faces))
    everywhere = np.flatnonzero(np.isfinite(track.T_camera_object).all((1, 2)))
    trusted = everywhere[track.confidence[everywhere] > 0]
    placed = trusted if len(trusted) else everywhere
    chosen = placed[np.unique(np.linspace(0, len(placed) - 1, min(len(placed), FRAMES)).round().astype(int))]
    weight = np.clip(masks.object_confidence, 0.05, 1.0)
    evidence = gather_evidence(masks.labels, chosen, weight, camera)
    unseen = np.full((len(chosen), 1, 3), np.nan)
    held_by = unseen if hand is None else hand[chosen].astype(float)
    search = TemplateSearch(grid, evidence, gather_rays(evidence, 0), track.T_camera_object[chosen], held_by)
    share = float(track.hull.extent.max() / template.extent.max())
    first = 1.0 if METRES[0] < share < METRES[1] else share
    place = search.find((track.hull.vertices.min(0) + track.hull.vertices.max(0)) / 2, first)
    grid, nothing = scale_hull(grid, place.size), np.zeros((4, *grid.signed_distance.shape), np.float32)
    poses, iou = track.T_camera_object @ place.T_object_template, np.full(len(track.T_camera_object), np.nan)
    for group in np.array_split(everywhere, max(1, -(-len(everywhere) // GROUP))):
        evidence = gather_evidence(masks.labels, group, weight, camera)
        offset = align_to_hull(evidence, gather_rays(evidence, 0), grid, poses[group], np.zeros((len(group), 6)), ONE_BY_ONE, False, (nothing[:3], nothing[3]))
        poses[group] = compose_offset(poses[group], offset)
        iou[group] = agreement(grid, evidence, poses[group])
    shape = Mesh((template.vertices - middle) * place.size, template.faces, template.colours)
    likeness = float(np.nanmedian(iou) / max(np.nanmedian(track.silhouette_iou), 1e-6))
    return replace(track, T_camera_object=poses, hull=shape, silhouette_iou=iou, known_shape=KnownShape(place.size, middle, likeness))


def grid_of(mesh: Mesh) -> HullGrid:
    """Signed distances about a watertight mesh, and far about it: a ray that passes the grid cannot say where the shape ought to go."""
    longest = float(mesh.extent.max())
    spacing = longest / NODES
    lower, upper = mesh.vertices.min(0) - ABOUT * longest, mesh.vertices.max(0) + ABOUT * longest
    shape = np.ceil((upper - lower) / spacing).astype(int) + 1
    points = np.indices(shape).reshape(3, -1).T * spacing + lower
    return HullGrid(MeshDistance(mesh.vertices, mesh.faces).closest(points).signed_distance.reshape(shape).astype(np.float32), lower, spacing)


def spread_rotations(count: int) -> Float[np.ndarray, "count 3 3"]:
    """Rotations spread evenly over all of them: the super-Fibonacci spiral of quaternions (Alexa 2022, algorithm 1)."""
    step = np.arange(count) + 0.5
    inner, outer = np.sqrt(step / count), np.sqrt(1 - step / count)
    alpha, beta = 2 * np.pi * step / np.sqrt(2.0), 2 * np.pi * step / 1.533751168755204288118041
    axis = np.stack([inner * np.sin(alpha), inner * np.cos(alpha), outer * np.sin(beta)], 1)
    length = np.linalg.norm(axis, axis=1, keepdims=True)
    angle = 2 * np.arctan2(length, (outer * np.cos(beta))[:, None])
    return matrix_from_axis_angle(torch.from_numpy(axis / np.maximum(length, 1e-12) * angle)).numpy()


def half_turns(count: int) -> list[Float[np.ndarray, "4 4"]]:
    """Turns by 180 degrees about axes that are spread evenly over a hemisphere (a Fibonacci spiral)."""
    height = (np.arange(count) + 0.5) / count
    angle = np.pi * (3.0 - np.sqrt(5.0)) * np.arange(count)
    around = np.sqrt(1 - height**2)
    turns = []
    for axis in np.stack([around * np.cos(angle), around * np.sin(angle), height], 1):
        T = np.eye(4)
        T[:3, :3] = 2 * np.outer(axis, axis) - np.eye(3)
        turns.append(T)
    return turns


def _choose_unlike(places: list[TemplatePlace]) -> list[TemplatePlace]:
    """The best few that differ."""
    chosen: list[TemplatePlace] = []
    for place in sorted(places, key=lambda one: -one.score):
        if len(chosen) < FINALISTS and all(_apart(place, other) > LIKE for other in chosen):
            chosen.append(place)
    return chosen


def _apart(one: TemplatePlace, other: TemplatePlace) -> float:
    """Radians between two places."""
    return float(rotation_angle(torch.from_numpy(one.T_object_template[:3, :3].T @ other.T_object_template[:3, :3])))
