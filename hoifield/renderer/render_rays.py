"""Scene + pixels -> colour, depth, normals and entity weights: sample, query every entity at the union, composite."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hoifield.geometry.cameras import pixel_directions
from hoifield.geometry.rigid import invert_rigid
from hoifield.geometry.trilinear import lookup_distance
from hoifield.renderer.cached_distance import CachedDistance, CachedDistances
from hoifield.renderer.composite import composite_entities
from hoifield.renderer.place_torch import place_samples, turn_normals
from hoifield.renderer.sample_rays import merge_samples, sample_rays
from hoifield.scene.actor_entity import ActorEntity
from hoifield.scene.scene import Scene

FAR_WIDTHS = 8.0
"""An entity farther from a sample than this many widths has no density there (e^-8) and is not queried."""


@dataclass(frozen=True)
class SamplingConfig:
    """How densely rays are sampled, and how wide surfaces are."""

    width: float
    """Width of the surface (Laplace scale), metres."""
    object_samples: int
    hand_samples: int


@dataclass(frozen=True)
class Rendering:
    """Rays after compositing."""

    colour: Float[Tensor, "ray 3"]
    """RGB, background included where one was given."""
    depth: Float[Tensor, "ray"]
    """Weighted sum of ray distances (m): divided by 1 - background_weight, the mean distance of what is hit. Without gradient."""
    normal: Float[Tensor, "ray 3"]
    """Weighted sum of the entities' unit normals, camera frame, without gradient; shorter where the ray passes on."""
    entity_weight: Float[Tensor, "ray entity"]
    """Share of each entity; 1 - sum is the background's."""
    background_weight: Float[Tensor, "ray"]


@dataclass(frozen=True)
class RayTrace:
    """A rendering with what the losses need of its samples. `near` marks samples at which the object's field was queried."""

    rendering: Rendering
    alone_colour: Float[Tensor, "ray entity 3"]
    """What the ray would show if only that entity stood before the background."""
    alone_opacity: Float[Tensor, "ray entity"]
    """Share of the ray that the entity stops by itself: its amodal silhouette."""
    near: Bool[Tensor, "ray sample"]
    object_distance: Float[Tensor, "near"]
    """Metres."""
    object_gradient: Float[Tensor, "near 3"]
    hand_distance: Float[Tensor, "ray sample hand"]
    """Metres; without gradient."""
    hand_residual: Float[Tensor, "near_hand"]


@dataclass(frozen=True)
class _Queried:
    """One entity at the union of the samples; `near` ones come ray by ray."""

    cached: Float[Tensor, "ray sample"]
    """Signed distance (m) read from grids, without gradient."""
    near: Bool[Tensor, "ray sample"]
    ray: Int[Tensor, "near"]
    distance: Float[Tensor, "near"]
    colour: Float[Tensor, "near 3"]
    normal: Float[Tensor, "near 3"]
    """Camera frame."""
    gradient: Float[Tensor, "near 3"]
    residual: Float[Tensor, "near"]


def render_rays(
    scene: Scene,
    object_lookup: CachedDistance,
    row: Int[Tensor, "ray"],
    pixel: Float[Tensor, "ray 2"],
    sampling: SamplingConfig,
    generator: torch.Generator,
) -> RayTrace:
    """Colour, depth, normal and entity weights of pixels, each in its own frame of the clip."""
    directions = pixel_directions(pixel, scene.K)
    # Poses are worked out once a frame, not once a ray.
    T_entities = [invert_rigid(scene.frames.T_camera_object()).index_select(0, row)]
    T_entities += [invert_rigid(poses.T_camera_hand()).index_select(0, row) for _, poses in scene.hands()]
    distances, intervals = _sample_union(scene, object_lookup, row, directions, T_entities, sampling, generator)
    queried = [_query_object(scene, object_lookup, directions, distances, T_entities[0], sampling.width)]
    for number in range(len(scene.actors)):
        queried.append(_query_hand(scene, number, row, directions, distances, T_entities[1 + number], sampling.width))
    found = composite_entities(
        torch.cat([entity.distance for entity in queried]),
        torch.cat([entity.colour for entity in queried]),
        _slots([entity.near for entity in queried]),
        scene.background_colour(directions, row),
        intervals,
        sampling.width,
    )
    rendering = Rendering(
        colour=found.colour,
        depth=(found.sample_weight.sum(-1) * distances).sum(-1),
        normal=_blend_normals(queried, found.sample_weight),
        entity_weight=found.entity_weight,
        background_weight=found.background,
    )
    hands = queried[1:]
    return RayTrace(
        rendering=rendering,
        alone_colour=found.alone_colour,
        alone_opacity=found.alone_opacity,
        near=queried[0].near,
        object_distance=queried[0].distance,
        object_gradient=queried[0].gradient,
        hand_distance=torch.stack([_full_distance(hand) for hand in hands], -1) if hands else distances.new_zeros(*distances.shape, 0),
        hand_residual=torch.cat([hand.residual for hand in hands]) if hands else distances.new_zeros(0),
    )


def _slots(near: list[Bool[Tensor, "ray sample"]]) -> Int[Tensor, "ray sample entity"]:
    """Places of the near samples of each entity, one entity's after another's; -1 for the others."""
    slots, before = [], 0
    for marked in near:
        place = marked.reshape(-1).cumsum(0).reshape(marked.shape) - 1 + before
        slots.append(torch.where(marked, place, -1))
        before += int(marked.sum())
    return torch.stack(slots, dim=-1)


@torch.no_grad()
def _blend_normals(queried: list[_Queried], weight: Float[Tensor, "ray sample entity"]) -> Float[Tensor, "ray 3"]:
    """Weighted sum of the normals along each ray."""
    normal = weight.new_zeros(len(weight), 3)
    for number, entity in enumerate(queried):
        normal.index_add_(0, entity.ray, weight[..., number][entity.near][:, None] * entity.normal)
    return normal


@torch.no_grad()
def _full_distance(entity: _Queried) -> Float[Tensor, "ray sample"]:
    """The field where it was queried, the grids elsewhere."""
    return entity.cached.masked_scatter(entity.near, entity.distance)


def _sample_union(
    scene: Scene,
    object_lookup: CachedDistance,
    row: Int[Tensor, "ray"],
    directions: Float[Tensor, "ray 3"],
    T_entities: list[Float[Tensor, "ray 4 4"]],
    sampling: SamplingConfig,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "ray sample"], Float[Tensor, "ray sample"]]:
    """Distances along the rays at which every entity is queried, ascending, and the interval of each."""
    with torch.no_grad():
        local = [((T[:, :3, :3] @ directions[..., None])[..., 0], T[:, :3, 3]) for T in T_entities]
        turned, origins = local[0]
        sets = [sample_rays(origins, turned, CachedDistances.of_one(object_lookup), torch.zeros_like(row), sampling.width, sampling.object_samples, generator)]
        for (actor, _), (turned, origins) in zip(scene.hands(), local[1:], strict=True):
            sets.append(sample_rays(origins, turned, hand_grids(actor), row, sampling.width, sampling.hand_samples, generator))
        return merge_samples(sets)


def _query_object(
    scene: Scene,
    lookup: CachedDistance,
    directions: Float[Tensor, "ray 3"],
    distances: Float[Tensor, "ray sample"],
    T: Float[Tensor, "ray 4 4"],
    width: float,
) -> _Queried:
    row = torch.zeros(len(directions), dtype=torch.int64, device=directions.device)
    cached = read_along(CachedDistances.of_one(lookup), row, directions, distances, T)
    near = cached < FAR_WIDTHS * width + lookup.spacing
    ray = near.nonzero()[:, 0]
    points = place_samples(T, directions, distances[near], ray)
    sample = scene.object_distance.query(points)
    normal = turn_normals(sample.gradient, T, ray)
    colour = scene.surface_colour(points, sample, normal)
    return _Queried(cached, near, ray, sample.signed_distance, colour, normal, sample.gradient, sample.signed_distance.new_zeros(len(ray)))


def _query_hand(
    scene: Scene,
    number: int,
    row: Int[Tensor, "ray"],
    directions: Float[Tensor, "ray 3"],
    distances: Float[Tensor, "ray sample"],
    T: Float[Tensor, "ray 4 4"],
    width: float,
) -> _Queried:
    actor, _ = scene.hands()[number]
    cached = read_along(hand_grids(actor), row, directions, distances, T)
    near = cached < FAR_WIDTHS * width
    ray = near.nonzero()[:, 0]
    distance, gradient, colour, residual = actor.surface(row[ray], place_samples(T, directions, distances[near], ray))
    with torch.no_grad():
        normal = turn_normals(gradient, T, ray)
    return _Queried(cached, near, ray, distance, colour, normal, gradient, residual)


def hand_grids(actor: ActorEntity) -> CachedDistances:
    """The distance volumes of a hand, one per fitted frame."""
    return CachedDistances(actor.volumes.distance, actor.volumes.lower, actor.volumes.spacing)


@torch.no_grad()
def read_along(
    cached: CachedDistances,
    row: Int[Tensor, "ray"],
    directions: Float[Tensor, "ray 3"],
    distances: Float[Tensor, "ray sample"],
    T: Float[Tensor, "ray 4 4"],
) -> Float[Tensor, "ray sample"]:
    """Distances (m) of an entity's grids at samples of camera rays, ray r in grid row[r], for T = T_entity_camera."""
    origins, turned = T[:, :3, 3], (T[:, :3, :3] @ directions[..., None])[..., 0]
    points = origins[:, None] + turned[:, None] * distances[..., None]
    rows = row[:, None].expand(distances.shape).reshape(-1)
    return lookup_distance(cached.values, rows, points.reshape(-1, 3), cached.lower, cached.spacing)[0].reshape(distances.shape)
