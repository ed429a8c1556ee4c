"""Scene + pixels -> colour, depth, normals and entity weights: sample, query every entity at the union, composite."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hoifield.fields.density import density_from_distance
from hoifield.geometry.cameras import pixel_directions
from hoifield.geometry.rigid import invert_rigid
from hoifield.renderer.cached_distance import CachedDistance, CachedDistances
from hoifield.renderer.composite import composite
from hoifield.renderer.sample_rays import merge_samples, sample_rays
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
    """Weighted sum of ray distances (m): divided by 1 - background_weight, the mean distance of what is hit."""
    normal: Float[Tensor, "ray 3"]
    """Weighted sum of the entities' gradients, in the frame that they were given in; shorter where the ray passes on."""
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
    object_distance: Float[Tensor, "ray sample"]
    """Metres; of far samples the cached distance, without gradient."""
    object_gradient: Float[Tensor, "near 3"]
    hand_distance: Float[Tensor, "ray sample hand"]
    hand_residual: Float[Tensor, "near_hand"]


@dataclass(frozen=True)
class _Queried:
    """One entity at the union of the samples."""

    distance: Float[Tensor, "ray sample"]
    near: Bool[Tensor, "ray sample"]
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
    T_entities = [invert_rigid(scene.frames.T_camera_object(row))]
    T_entities += [invert_rigid(poses.T_camera_hand(row)) for _, poses in scene.hands()]
    distances, intervals = _sample_union(scene, object_lookup, row, directions, T_entities, sampling, generator)
    points = directions[:, None] * distances[..., None]
    queried = [_query_object(scene, object_lookup, points, T_entities[0], sampling.width)]
    for number in range(len(scene.actors)):
        queried.append(_query_hand(scene, number, row, points, T_entities[1 + number], sampling.width))
    density = torch.stack([density_from_distance(entity.distance, sampling.width) * entity.near for entity in queried], dim=-1)
    weights = composite(density, intervals)
    behind = scene.background_colour(directions, row)
    colour = weights.background[:, None] * behind
    normal = torch.zeros_like(directions)
    alone_colours, alone_opacities = [], []
    for number, entity in enumerate(queried):
        ray = entity.near.nonzero()[:, 0]
        weight = weights.entity_weight[..., number][entity.near][:, None]
        colour = colour.index_add(0, ray, weight * entity.colour)
        normal = normal.index_add(0, ray, weight * entity.normal)
        alone = composite(density[..., number : number + 1], intervals)
        alone_weight = alone.entity_weight[..., 0][entity.near][:, None]
        alone_colours.append((alone.background[:, None] * behind).index_add(0, ray, alone_weight * entity.colour))
        alone_opacities.append(1.0 - alone.background)
    rendering = Rendering(
        colour=colour,
        depth=(weights.entity_weight.sum(-1) * distances).sum(-1),
        normal=normal,
        entity_weight=weights.entity_weight.sum(1),
        background_weight=weights.background,
    )
    hands = queried[1:]
    return RayTrace(
        rendering=rendering,
        alone_colour=torch.stack(alone_colours, 1),
        alone_opacity=torch.stack(alone_opacities, 1),
        near=queried[0].near,
        object_distance=queried[0].distance,
        object_gradient=queried[0].gradient,
        hand_distance=torch.stack([hand.distance for hand in hands], -1) if hands else points.new_zeros(*points.shape[:2], 0),
        hand_residual=torch.cat([hand.residual for hand in hands]) if hands else points.new_zeros(0),
    )


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
            volumes = actor.volumes
            hand_volumes = CachedDistances(volumes.distance, volumes.lower, volumes.spacing)
            sets.append(sample_rays(origins, turned, hand_volumes, row, sampling.width, sampling.hand_samples, generator))
        return merge_samples(sets)


def _query_object(scene: Scene, lookup: CachedDistance, points: Float[Tensor, "ray sample 3"], T: Float[Tensor, "ray 4 4"], width: float) -> _Queried:
    local = points @ T[:, :3, :3].transpose(1, 2) + T[:, None, :3, 3]
    cached = lookup.lookup(local.detach().reshape(-1, 3)).reshape(points.shape[:2])
    near = cached < FAR_WIDTHS * width + lookup.spacing
    sample = scene.object_distance.query(local[near])
    T_near = T[near.nonzero()[:, 0]]
    unit = torch.nn.functional.normalize(sample.gradient, dim=-1, eps=1e-6)
    normal = (T_near[:, :3, :3].transpose(1, 2) @ unit[..., None])[..., 0]
    # The light stands still while the object turns: shading follows the normal in the camera. The viewing direction stays out, so
    # that a cavity cannot be painted on a lid.
    colour = scene.object_colour(sample.feature, unit, unit, extra=normal)
    distance = cached.masked_scatter(near, sample.signed_distance)
    return _Queried(distance, near, colour, normal, sample.gradient, sample.signed_distance.new_zeros(len(unit)))


def _query_hand(
    scene: Scene, number: int, row: Int[Tensor, "ray"], points: Float[Tensor, "ray sample 3"], T: Float[Tensor, "ray 4 4"], width: float
) -> _Queried:
    actor, _ = scene.hands()[number]
    local = (points @ T[:, :3, :3].transpose(1, 2) + T[:, None, :3, 3]).reshape(-1, 3)
    rows = row[:, None].expand(points.shape[:2]).reshape(-1)
    with torch.no_grad():
        coarse, _ = actor.volumes.lookup(rows, local.detach())
    near = coarse < FAR_WIDTHS * width
    distance, gradient, colour, residual = actor.surface(rows[near], local[near])
    near = near.reshape(points.shape[:2])
    T_near = T[near.nonzero()[:, 0]]
    normal = (T_near[:, :3, :3].transpose(1, 2) @ gradient[..., None])[..., 0]
    full = coarse.reshape(points.shape[:2]).masked_scatter(near, distance)
    return _Queried(full, near, colour, normal, gradient, residual)
