"""Poses of hand and object moved until silhouettes, keypoints and touch agree, the object's shape held (HOLD's pose refinement)."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hoifield.actors.contact_zones import contact_zones
from hoifield.actors.pose_limits import limit_excess
from hoifield.actors.skinned_model import SkinnedModel
from hoifield.fitting.adam import NamedAdam
from hoifield.fitting.frame_pixels import BACKGROUND_ENTITY
from hoifield.fitting.hand_contours import OutlinePairs, pair_outlines
from hoifield.fitting.held_surface import HeldSurface, depth_along, in_camera, weigh_sight
from hoifield.fitting.run_field_stage import values_of
from hoifield.fitting.stage import PlacementStage
from hoifield.geometry.cameras import back_project, pixel_directions, project
from hoifield.geometry.rigid import invert_rigid, transform_points
from hoifield.geometry.sample_pictures import sample_pictures
from hoifield.losses.contact import attraction_loss, penetration_loss
from hoifield.losses.depth_order import depth_order_loss, object_before
from hoifield.losses.hand_outline import covered_outline_loss, inside_mask_loss
from hoifield.losses.keypoints import keypoint_loss, limit_loss, trust_keypoints
from hoifield.losses.motion import small_correction_loss, smooth_correction_loss, steady_path_loss
from hoifield.losses.same_colour import same_colour_loss
from hoifield.losses.sensor_depth import measured_points_loss
from hoifield.losses.silhouette import silhouette_loss
from hoifield.scene.frame_table import HandPoses
from hoifield.scene.scene import Scene


@dataclass(frozen=True)
class HandEvidence:
    """What is seen of one hand in the fitted frames; pixels of the working camera."""

    keypoints: Float[Tensor, "frame keypoint=21 2"]
    keypoint_offsets: Float[Tensor, "keypoint=21 3"]
    outline: Float[Tensor, "frame point 2"]
    """Points of the hand mask's outline, away from the arm: against the background, then against the object."""
    outline_direction: Float[Tensor, "frame point 2"]
    """Unit, out of the hand."""
    outline_weight: Float[Tensor, "frame point"]
    """0 for points that only fill the array."""
    beside_object: Bool[Tensor, "point"]
    """Which of the points border on the object."""


@dataclass(frozen=True)
class PlacementEvidence:
    """What placement compares with, for the fitted frames; pixels of the working camera."""

    hands: tuple[HandEvidence, ...]
    silhouette_pixels: Float[Tensor, "frame pixel 2"]
    inside: Bool[Tensor, "frame pixel"]
    """Whether the pixel is labelled object (else background; pixels of hands are not among them)."""
    pictures: tuple[Float[Tensor, "frame 3 row column"], ...]
    """The object's colours in a crop of each frame, without slow changes over it; from the most to the least blurred."""
    foreground_distance: Float[Tensor, "frame row column"]
    """Pixels to the nearest hand or object, in a crop of each frame."""
    entity: Int[Tensor, "frame row column"]
    """Entity at the pixels of the crops (`entity_of_labels`); background on the border of two."""
    corner: Float[Tensor, "frame 2"]
    """Left and top of the crops."""
    depth: Float[Tensor, "frame row column"] | None
    """Measured in the crops, metres, 0 = none; None without a sensor."""


def thin_skin(model: SkinnedModel, every: int) -> tuple[Int[Tensor, "kept"], tuple[Int[Tensor, "zone_vertex"], ...]]:
    """Each `every`-th vertex and all that touch, and the places of the latter among them, zone by zone: distances cost by the point."""
    zones = list(contact_zones(model).values())
    kept = torch.cat([torch.arange(0, len(model.template), every), *zones]).unique()
    device = model.template.device
    return kept.to(device), tuple(torch.searchsorted(kept, zone).to(device) for zone in zones)


SKIN_EVERY = 4
"""Which vertices of a hand stand for its skin."""
DEPTH_SCALE = 0.004
"""Metres off a measured depth from which on it counts as that of something else."""
SIGHT_EVERY = 25
"""Steps between two looks at which points of the surface each frame shows."""
PAIRS_EVERY = 10
"""Steps between two drawings of the hand, which say where its outline is."""
BEYOND = 1.0
"""Pixels out of a hand's mask at which is asked whether hand or object is in front."""
FIRST_OUTLINE, LAST_OUTLINE = 12.0, 3.0
"""Pixels from which on a point of an outline counts as another's, at first and from half of the steps on."""
LAST_REACH = 0.003
"""Metres from which on nothing is drawn to the object, from half of the steps on; what is still off by then does not touch."""
CORNER_REACH = 0.05
"""Metres from the object's centre of the points, one on each axis, whose path says how steadily it moves and turns."""
STEADY = 5.0
"""Acceleration, m/s^2, that a hand seldom gives to what it holds."""
COLOUR_SCALE = 0.1
"""Difference of colour from which on it counts as something else (shine, shadow), not as a wrong pose."""


def refine_placement(scene: Scene, stage: PlacementStage, surface: HeldSurface, evidence: PlacementEvidence) -> list[dict[str, float]]:
    """Moves object poses, hand roots and finger articulation of all fitted frames together; gives the losses of each step.

    Adam on the corrections of the frame table.
    """
    frames = scene.frames
    movable = [
        ("object_rotation", frames.object_rotation, stage.pose_rate),
        ("object_translation", frames.object_translation, stage.pose_rate / 4),
    ]
    for number, (_, poses) in enumerate(scene.hands()):
        movable.append((f"{number}.articulation", poses.articulation, stage.pose_rate * 3))
        movable.append((f"{number}.translation", poses.translation, stage.pose_rate / 5))
        movable.append((f"{number}.rotation", poses.rotation, stage.pose_rate))
        movable.append((f"{number}.shape", poses.shape_change, stage.pose_rate * 5))
    optimiser = NamedAdam([entry for entry in movable if stage.turns_object or entry[0] != "object_rotation"])
    starts = {name: parameter.detach().clone() for name, parameter, _ in movable}
    hands = [_HandTerms.begin(number, scene, surface, evidence) for number in range(len(scene.hands()))]
    history = []
    sight = torch.zeros(0, device=scene.device)
    for step in range(stage.steps):
        if stage.same_colour > 0 and step % SIGHT_EVERY == 0:
            sight = weigh_sight(surface, frames.T_camera_object())
        if step > 0 and step % PAIRS_EVERY == 0:
            hands = [replace(terms, pairs=_pair(number, scene, surface, evidence)) for number, terms in enumerate(hands)]
        losses = _placement_losses(scene, stage, surface, evidence, hands, _Reaches.at(step / stage.steps, stage), starts)
        if stage.same_colour > 0:
            pictures = evidence.pictures[step * len(evidence.pictures) // stage.steps]
            losses["same_colour"] = stage.same_colour * _colour_loss(scene, surface, sight, pictures, evidence)
        total = torch.stack(list(losses.values())).sum()
        optimiser.zero_grad()
        total.backward()
        if optimiser.gradients_are_finite():
            optimiser.step(1.0 if step < stage.steps // 2 else 0.5)
        history.append(values_of(losses))
    return history


def _placement_losses(
    scene: Scene,
    stage: PlacementStage,
    surface: HeldSurface,
    evidence: PlacementEvidence,
    hands: list["_HandTerms"],
    reaches: "_Reaches",
    starts: dict[str, Tensor],
) -> dict[str, Float[Tensor, ""]]:
    frames = scene.frames
    T_camera_object = frames.T_camera_object()
    T_object_camera = invert_rigid(T_camera_object)
    losses = {
        "silhouette": stage.silhouette
        * silhouette_loss(surface.distance, T_object_camera, evidence.silhouette_pixels, evidence.inside, scene.K, T_camera_object[:, 2, 3].detach())
    }
    if evidence.depth is not None:
        losses["depth"] = stage.depth * _object_depth_loss(surface, evidence, evidence.depth, T_object_camera, scene.K)
    for number, (_, poses) in enumerate(scene.hands()):
        for name, loss in _hand_losses(number, poses, stage, surface, evidence, hands[number], reaches, T_object_camera, scene.K).items():
            losses[name] = losses[name] + loss if name in losses else loss
    smooth, small = torch.zeros((), device=scene.device), torch.zeros((), device=scene.device)
    everywhere = torch.ones_like(frames.time_s)
    for name, parameter, size in (("object_rotation", frames.object_rotation, 0.05), ("object_translation", frames.object_translation, 0.005)):
        small = small + small_correction_loss(parameter - starts[name], everywhere, size)
    for number, (_, poses) in enumerate(scene.hands()):
        of_hand = (("articulation", poses.articulation, 0.03, 0.3), ("translation", poses.translation, 0.002, 0.006), ("rotation", poses.rotation, 0.02, 0.1))
        for name, parameter, step, size in of_hand:
            moved = (parameter - starts[f"{number}.{name}"]).flatten(1)
            smooth = smooth + smooth_correction_loss(moved, frames.time_s, step)
            small = small + small_correction_loss(moved, everywhere, size)
    for _, poses in scene.hands():
        small = small + poses.shape_change.square().sum()
    losses["smooth_motion"] = stage.smooth_motion * smooth
    losses["small_motion"] = stage.small_motion * small
    corners = T_camera_object[:, None, :3, 3] + CORNER_REACH * T_camera_object[:, :3, :3].transpose(1, 2)
    losses["steady_path"] = stage.steady_path * steady_path_loss(corners, frames.time_s, STEADY)
    return losses


def _hand_losses(
    number: int,
    poses: HandPoses,
    stage: PlacementStage,
    surface: HeldSurface,
    evidence: PlacementEvidence,
    terms: "_HandTerms",
    reaches: "_Reaches",
    T_object_camera: Float[Tensor, "frame 4 4"],
    K: Float[Tensor, "3 3"],
) -> dict[str, Float[Tensor, ""]]:
    T_camera_hand = poses.T_camera_hand()
    posed = terms.model.pose(poses.shape(), poses.pose(), T_camera_hand)
    skin = posed.vertices[:, terms.kept]
    local = transform_points(T_object_camera, skin)
    grid = surface.distance
    distance = grid.lookup(local.reshape(-1, 3)).reshape(local.shape[:2])
    seen = evidence.hands[number]
    pixels = project(skin, K)
    front = _front_vertices(skin.detach(), pixels.detach(), evidence)
    label = _labels_at(pixels.detach(), evidence)
    before = object_before(grid, T_object_camera, skin)
    outside = inside_mask_loss(pixels, evidence.foreground_distance, evidence.corner, reaches.outline)
    apart = covered_outline_loss(project(terms.pairs.points(posed.vertices), K), seen.outline, terms.pairs.weight, reaches.outline)
    of_depth = {}
    if evidence.depth is not None:
        measured = _read_crops(evidence.depth, pixels.detach(), evidence, 0.0)
        of_depth["depth"] = stage.depth * measured_points_loss(skin[..., 2] - measured, front & (label == 1 + number) & (measured > 0), DEPTH_SCALE)
    return of_depth | {
        "attraction": stage.attraction * attraction_loss([distance[:, zone] for zone in terms.zones], reaches.contact, 0.003),
        "penetration": stage.penetration * penetration_loss(distance, 0.001, 0.003),
        "depth_order": stage.depth_order * depth_order_loss(before, front & (label == 1 + number), front & (label == 0), 0.004),
        "hand_outline": stage.hand_outline * (outside + apart),
        "keypoints": stage.keypoints * keypoint_loss(_as_detected(posed.keypoints, T_camera_hand, seen), seen.keypoints, K, _box_side(seen), terms.trust),
        "limits": stage.limits * limit_loss(limit_excess(terms.model, poses.pose())),
    }


def _as_detected(keypoints: Float[Tensor, "frame 21 3"], T_camera_hand: Float[Tensor, "frame 4 4"], seen: HandEvidence) -> Float[Tensor, "frame 21 3"]:
    """The points of the flesh that the detector marks, for the actor's joints."""
    return keypoints + (T_camera_hand[:, None, :3, :3] @ seen.keypoint_offsets[None, :, :, None])[..., 0]


def _box_side(seen: HandEvidence) -> Float[Tensor, "frame"]:
    return (seen.keypoints.amax(1) - seen.keypoints.amin(1)).amax(-1)


@dataclass(frozen=True)
class _Reaches:
    """How far evidence pulls: far at first, near from half of the steps on."""

    outline: float
    """Pixels."""
    contact: float
    """Metres."""

    @staticmethod
    def at(progress: float, stage: PlacementStage) -> "_Reaches":
        near = min(1.0, 2 * progress)
        return _Reaches(FIRST_OUTLINE + near * (LAST_OUTLINE - FIRST_OUTLINE), stage.contact_reach + near * (LAST_REACH - stage.contact_reach))


@dataclass(frozen=True)
class _HandTerms:
    """What every step needs of one hand beside its poses."""

    model: SkinnedModel
    kept: Int[Tensor, "kept"]
    zones: tuple[Int[Tensor, "zone_vertex"], ...]
    trust: Float[Tensor, "frame keypoint=21"]
    pairs: OutlinePairs

    @staticmethod
    @torch.no_grad()
    def begin(number: int, scene: Scene, surface: HeldSurface, evidence: PlacementEvidence) -> "_HandTerms":
        (actor, poses), seen = scene.hands()[number], evidence.hands[number]
        T = poses.T_camera_hand()
        keypoints = _as_detected(actor.model.pose(poses.shape(), poses.pose(), T).keypoints, T, seen)
        trust = trust_keypoints(keypoints, seen.keypoints, scene.K, _box_side(seen))
        return _HandTerms(actor.model, *thin_skin(actor.model, SKIN_EVERY), trust, _pair(number, scene, surface, evidence))


@torch.no_grad()
def _pair(number: int, scene: Scene, surface: HeldSurface, evidence: PlacementEvidence) -> OutlinePairs:
    """The outline as the hand now makes it; where the object hides the skin, the mask's outline is the object's own and does not count."""
    (actor, poses), seen = scene.hands()[number], evidence.hands[number]
    vertices = actor.model.pose(poses.shape(), poses.pose(), poses.T_camera_hand()).vertices
    rows, columns = evidence.entity.shape[1:]
    pairs = pair_outlines(vertices, actor.model.faces, scene.K, evidence.corner, (rows, columns), seen.outline, seen.outline_direction, seen.outline_weight)
    object_depth = depth_along(surface, scene.frames.T_camera_object(), seen.outline + BEYOND * seen.outline_direction, scene.K)
    hidden = seen.beside_object & (object_depth < pairs.points(vertices)[..., 2])
    return replace(pairs, weight=pairs.weight * ~hidden)


def _colour_loss(
    scene: Scene, surface: HeldSurface, sight: Float[Tensor, "frame point"], pictures: Float[Tensor, "frame 3 row column"], evidence: PlacementEvidence
) -> Float[Tensor, ""]:
    """Points of the surface look alike wherever they fall on pixels of the object."""
    pixels = project(in_camera(surface, scene.frames.T_camera_object()), scene.K)
    weight = sight * (_labels_at(pixels.detach(), evidence) == 0)
    return same_colour_loss(sample_pictures(pictures, pixels - evidence.corner[:, None]), weight, COLOUR_SCALE)


CELL = 8
"""Side (pixels) of the cells in which the nearest vertices of a hand count as its front."""
FRONT_DEPTH = 0.008


def _labels_at(pixels: Float[Tensor, "frame vertex 2"], evidence: PlacementEvidence) -> Int[Tensor, "frame vertex"]:
    """Entity labels under pixels; background outside the crops."""
    return _read_crops(evidence.entity, pixels, evidence, BACKGROUND_ENTITY).long()


def _read_crops(crops: Tensor, pixels: Float[Tensor, "frame vertex 2"], evidence: PlacementEvidence, outside: float) -> Tensor:
    """What crops hold under pixels; `outside` where a pixel lies outside of them."""
    frames, rows, columns = crops.shape
    local = (pixels - evidence.corner[:, None]).floor().long()
    inside = (local >= 0).all(-1) & (local[..., 0] < columns) & (local[..., 1] < rows)
    x, y = local[..., 0].clamp(0, columns - 1), local[..., 1].clamp(0, rows - 1)
    return crops[torch.arange(frames, device=x.device)[:, None], y, x].where(inside, outside)


def _object_depth_loss(
    surface: HeldSurface, evidence: PlacementEvidence, depth: Float[Tensor, "frame row column"], T_object_camera: Float[Tensor, "frame 4 4"],
    K: Float[Tensor, "3 3"]
) -> Float[Tensor, ""]:  # fmt: skip
    """Measured points at silhouette pixels of the object lie on its surface."""
    measured = _read_crops(depth, evidence.silhouette_pixels, evidence, 0.0)
    points = back_project(pixel_directions(evidence.silhouette_pixels, K), measured)
    distance = surface.distance.lookup(transform_points(T_object_camera, points).reshape(-1, 3)).reshape(measured.shape)
    return measured_points_loss(distance, evidence.inside & (measured > 0), DEPTH_SCALE)


def _front_vertices(
    vertices: Float[Tensor, "frame vertex 3"], pixels: Float[Tensor, "frame vertex 2"], evidence: PlacementEvidence
) -> Bool[Tensor, "frame vertex"]:
    """Vertices not hidden by the hand itself: those within FRONT_DEPTH of the nearest one of their cell of pixels."""
    frames, rows, columns = evidence.entity.shape
    cell = ((pixels - evidence.corner[:, None]) / CELL).floor().long()
    width, height = columns // CELL + 1, rows // CELL + 1
    flat = cell[..., 1].clamp(0, height - 1) * width + cell[..., 0].clamp(0, width - 1)
    depth = vertices[..., 2]
    nearest = torch.full((frames, width * height), float("inf"), device=depth.device).scatter_reduce(1, flat, depth, "amin")
    return depth < nearest.gather(1, flat) + FRONT_DEPTH
