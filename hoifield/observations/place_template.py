"""A known shape put in the place of the visual hull: one rotation, translation, size and form for the whole clip, then every frame by itself."""

from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np
import torch
from jaxtyping import Float

from hoifield.geometry.cameras import Camera
from hoifield.geometry.isosurface import extract_isosurface
from hoifield.geometry.mesh import Mesh
from hoifield.geometry.rotations import matrix_from_axis_angle, rotation_angle
from hoifield.observations.frame_masks import FrameMasks
from hoifield.observations.measure_by_depth import scale_hull
from hoifield.observations.object_track import KnownShape, ObjectTrack
from hoifield.observations.pose_offsets import compose_offset
from hoifield.observations.refine_silhouettes import RefineConfig, agreement, align_to_hull, gather_rays
from hoifield.observations.shape_places import HeldBy, PlaceEvidence, ShapePlace, tabulate
from hoifield.observations.visual_hull import HullGrid, SilhouetteEvidence, gather_evidence
from hoifield.shapes.draw_family import ShapeName, sample_distances
from hoifield.shapes.shape_space import FamilyForm, GivenSolid, ShapeSpace, family_forms

ROTATIONS = 400
"""Turns tried, evenly spread: about 25 degrees from one to the next."""
METRES = (0.5, 2.0)
"""Of the hull's longest side: a template of that length is in metres; another one has units of its own, and starts as long as the hull."""
METRIC_SPREAD, OTHER_SPREAD = 0.08, 0.5
"""Standard deviation of the size's logarithm, where it is in metres (the hand is the ruler) and where it is not."""
FRAMES = 24
"""Frames that the shape is placed by; every third of them, to try turns on."""
AXES = 60
"""About which the best are turned the wrong way round, or the right one."""
SETTLED, FINALISTS = 20, 4
"""Candidates that are settled on a few frames, twice, and of these on all."""
OTHER_FORMS = 2
"""Of these, from which other forms of a family are tried."""
LIKE = 0.2
"""Radians below which two candidates are one."""
FEW_STEPS, STEPS = 6, 10
"""Of each part of the descent, on few frames and on all."""
MESH_SPACING = 0.0015
"""Metres between the nodes from which a family's mesh is made."""
FRAME_NODES = 60
"""Along the shape's longest side, of the grid by which single frames are posed."""
GROUP = 60
"""Frames that are aligned together in the end."""
ONE_BY_ONE = RefineConfig(steps=6, pull_rotation=0.06, pull_translation=0.006, colour_share=0.0)


@dataclass(frozen=True)
class Template:
    """What is known of the object's shape."""

    spaces: tuple[ShapeSpace, ...]
    """One of them holds it."""
    middle: Float[np.ndarray, "3"] | None = None
    """Of the mesh as it was given; in its space, that is the origin."""
    word: ShapeName | None = None
    """The family that the spaces are of, where no mesh was given."""


def known_mesh(given: Mesh) -> Template:
    """The template of one watertight mesh."""
    middle = (given.vertices.min(0) + given.vertices.max(0)) / 2
    return Template((GivenSolid(Mesh(given.vertices - middle, given.faces, given.colours)),), middle)


def known_family(name: ShapeName) -> Template:
    """The template of a family of objects, whose lengths are found too."""
    return Template(family_forms(name), word=name)


def place_template(track: ObjectTrack, template: Template, hand: HeldBy | None, masks: FrameMasks, camera: Camera) -> ObjectTrack:
    """The track with the template as its shape and with poses of the template, whose frame is moved to its middle and sized.

    `hand` is the one that holds it, if any, in every frame of the clip; `camera` is that of the clip. Its size is free, since metres rest on the
    hand. Deterministic.
    """
    everywhere = np.flatnonzero(np.isfinite(track.T_camera_object).all((1, 2)))
    trusted = everywhere[track.confidence[everywhere] > 0]
    placed = trusted if len(trusted) else everywhere
    chosen = placed[np.unique(np.linspace(0, len(placed) - 1, min(len(placed), FRAMES)).round().astype(int))]
    weight = np.clip(masks.object_confidence, 0.05, 1.0)
    silhouettes = gather_evidence(masks.labels, chosen, weight, camera)
    longest = max(float(np.subtract(*space.box(np.zeros(space.unknowns))[::-1]).max()) for space in template.spaces)
    share = float(track.hull.extent.max() / longest)
    size, spread = (1.0, METRIC_SPREAD) if METRES[0] < share < METRES[1] else (share, OTHER_SPREAD)
    held = None if hand is None else HeldBy(hand.vertices[chosen].astype(float), hand.pads)
    evidence = PlaceEvidence(silhouettes, gather_rays(silhouettes, 0), track.T_camera_object[chosen], held, size, spread)
    space, place = find_place(evidence, template.spaces, (track.hull.vertices.min(0) + track.hull.vertices.max(0)) / 2)
    mesh = _mesh_of(space, place)
    middle = (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    grid = scale_hull(tabulate(space, place.coordinates, FRAME_NODES), place.size)
    grid = replace(grid, lower=grid.lower - place.size * middle)
    poses, iou = _pose_frames(track.T_camera_object @ place.T_object_shape @ _shift(place.size * middle), grid, masks, weight, camera)
    likeness = float(np.nanmedian(iou) / max(np.nanmedian(track.silhouette_iou), 1e-6))
    shape = Mesh((mesh.vertices - middle) * place.size, mesh.faces, mesh.colours)
    known = KnownShape(place.size, middle if template.middle is None else template.middle, likeness, template.word)
    return replace(track, T_camera_object=poses, hull=shape, silhouette_iou=iou, known_shape=known)


def _mesh_of(space: ShapeSpace, place: ShapePlace) -> Mesh:
    """The shape that was found, in the frame and units of its space."""
    match space:
        case GivenSolid():
            return space.mesh
        case FamilyForm():
            return extract_isosurface(*sample_distances(space.solid(place.coordinates), MESH_SPACING))
        case _:
            assert_never(space)


def find_place(evidence: PlaceEvidence, spaces: tuple[ShapeSpace, ...], middle: Float[np.ndarray, "3"]) -> tuple[ShapeSpace, ShapePlace]:
    """The best place in the best of the spaces; `middle` is that of the hull, object frame."""
    few, first = evidence.every(3), spaces[0]
    typical = np.zeros(first.unknowns)
    grid, centre = tabulate(first, typical), np.mean(first.box(typical), 0)

    def settle_best(places: list[ShapePlace]) -> list[ShapePlace]:
        return [few.settle(grid, place) for place in sorted(places, key=lambda one: one.doubt)[:SETTLED]]

    starts = [ShapePlace(_turn(rotation, middle - rotation @ centre * evidence.size), evidence.size, typical) for rotation in spread_rotations(ROTATIONS)]
    settled = _choose_unlike(settle_best([few.moved(grid, start) for start in starts]))
    # The wrong way round, silhouettes agree nearly as well, and no small step leads from there to the right one.
    turned = [few.moved(grid, _turned_about(place, centre * place.size, T)) for place in settled for T in half_turns(AXES)]
    finalists = _choose_unlike([*settled, *settle_best(turned)])
    if isinstance(first, GivenSolid):
        return first, min((evidence.settle(grid, place) for place in finalists), key=lambda one: one.doubt)
    found: list[tuple[ShapeSpace, ShapePlace]] = [(first, _fit_form(evidence, few, first, place)) for place in finalists]
    found += [(space, _fit_form(evidence, few, space, place)) for space in spaces[1:] for place in finalists[:OTHER_FORMS]]
    return min(found, key=lambda one: one[1].doubt)


def _fit_form(evidence: PlaceEvidence, few: PlaceEvidence, space: ShapeSpace, place: ShapePlace) -> ShapePlace:
    """The place by all frames, with the form that fits there."""
    begun = few.descend(space, replace(place, coordinates=np.zeros(space.unknowns)), FEW_STEPS)
    return evidence.descend(space, begun, STEPS)


def _turned_about(place: ShapePlace, centre: Float[np.ndarray, "3"], T: Float[np.ndarray, "4 4"]) -> ShapePlace:
    """The place turned about a point of the sized shape's frame."""
    return replace(place, T_object_shape=place.T_object_shape @ _shift(centre) @ T @ _shift(-centre))


def _pose_frames(
    poses: Float[np.ndarray, "frame 4 4"], grid: HullGrid, masks: FrameMasks, weight: Float[np.ndarray, "frame"], camera: Camera
) -> tuple[Float[np.ndarray, "frame 4 4"], Float[np.ndarray, "frame"]]:
    """Every frame moved by itself towards its silhouette, and how well they agree then; NaN without a pose."""
    everywhere = np.flatnonzero(np.isfinite(poses).all((1, 2)))
    poses, iou = poses.copy(), np.full(len(poses), np.nan)
    for group in np.array_split(everywhere, max(1, -(-len(everywhere) // GROUP))):
        silhouettes = gather_evidence(masks.labels, group, weight, camera)
        poses[group] = _move_frames(silhouettes, grid, poses[group])
        iou[group] = agreement(grid, silhouettes, poses[group])
    return poses, iou


def _move_frames(silhouettes: SilhouetteEvidence, grid: HullGrid, poses: Float[np.ndarray, "frame 4 4"]) -> Float[np.ndarray, "frame 4 4"]:
    """T_camera_shape of every frame, moved a little towards its silhouette."""
    nothing = np.zeros((4, *grid.signed_distance.shape), np.float32)
    start, rays = np.zeros((len(poses), 6)), gather_rays(silhouettes, 0)
    return compose_offset(poses, align_to_hull(silhouettes, rays, grid, poses, start, ONE_BY_ONE, False, (nothing[:3], nothing[3])))


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
    axes = np.stack([around * np.cos(angle), around * np.sin(angle), height], 1)
    return [_turn(2 * np.outer(axis, axis) - np.eye(3), np.zeros(3)) for axis in axes]


def _turn(rotation: Float[np.ndarray, "3 3"], translation: Float[np.ndarray, "3"]) -> Float[np.ndarray, "4 4"]:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = rotation, translation
    return T


def _shift(translation: Float[np.ndarray, "3"]) -> Float[np.ndarray, "4 4"]:
    return _turn(np.eye(3), translation)


def _choose_unlike(places: list[ShapePlace]) -> list[ShapePlace]:
    """The best few that differ."""
    chosen: list[ShapePlace] = []
    for place in sorted(places, key=lambda one: one.doubt):
        if len(chosen) < FINALISTS and all(_apart(place, other) > LIKE for other in chosen):
            chosen.append(place)
    return chosen


def _apart(one: ShapePlace, other: ShapePlace) -> float:
    """Radians between two places."""
    return float(rotation_angle(torch.from_numpy(one.T_object_shape[:3, :3].T @ other.T_object_shape[:3, :3])))
