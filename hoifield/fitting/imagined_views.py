"""What the geometry prior would have the unseen sides look like, and how far the field is from that.

Score distillation (DreamFusion, Poole et al. 2023; DiffHOI, Ye et al. 2023) pushes each render towards what a diffusion model believes
behind a noisy version of it. Here the belief is walked to its end in a few steps, with everything the clip has shown put back at each of
them, and then kept for some steps of the fit: the same pull with less noise, and the network runs once in fifty steps.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.nn import functional

from hoifield.fields.distance_field import DistanceField
from hoifield.fitting.field_look import FieldLook, depth_in_view, look_at_field
from hoifield.fitting.frame_pixels import FramePixels
from hoifield.fitting.seen_surface import find_seen
from hoifield.geometry.mesh import Mesh, vertex_normals
from hoifield.geometry.rigid import invert_rigid
from hoifield.geometry.trilinear import lookup_grid
from hoifield.priors.geometry_prior import GeometryPrior, settled
from hoifield.priors.geometry_view import VIEW_EXTENT, VIEW_SIZE, GeometryView, draw_hand
from hoifield.priors.noise_schedule import add_noise, walk_back
from hoifield.renderer.cached_distance import CachedDistance
from hoifield.scene.scene import Scene

VIEWS = 4
"""Sides imagined at once."""
EARLIEST, LATEST = 0.9, 0.4
"""Time of the noise at the first and the last step of a stage: first the prior may change much, later details."""
WALK = 6
"""Steps back from the noise."""
OUTSIDE_HULL = 0.004
"""Metres beyond the first hull from which a ray is known to meet nothing."""
LENGTH = 0.005
"""Metres that count 1 in the loss."""


@dataclass(frozen=True)
class Imagination:
    """The prior and what the user said of the object."""

    prior: GeometryPrior
    category: str
    """One of CATEGORIES."""

    def on(self, device: torch.device) -> "Imagination":
        """The same with a network that computes on the device."""
        return Imagination(self.prior.on(device), self.category)


@dataclass(frozen=True)
class ImaginedRays:
    """Rays of unseen sides, object frame, metres, and what is believed of them."""

    surface: Float[Tensor, "ray 3"]
    """Where the field's surface was; where there was none, where the field was lowest."""
    nearest: Float[Tensor, "ray 3"]
    covered: Bool[Tensor, "ray"]
    """Whether the ray met the field."""
    depth: Float[Tensor, "ray"]
    """Of the field, metres along the ray from the middle of the view."""
    direction: Float[Tensor, "ray 3"]
    to_cover: Bool[Tensor, "ray"]
    to_depth: Float[Tensor, "ray"]
    to_normal: Float[Tensor, "ray 3"]
    """Unit, object frame."""


@torch.no_grad()
def imagine_unseen(
    imagination: Imagination, scene: Scene, pixels: FramePixels, lookup: CachedDistance, seed: int, progress: float
) -> ImaginedRays:
    """Some sides of the object beside the hand of as many frames, as the prior would have them, without what the clip has shown.

    Everything random follows from `seed`. Needs a hand in the scene.
    """
    generator = np.random.default_rng((seed, 37))
    hands, looks = [], []
    for _ in range(VIEWS):
        row = int(generator.integers(scene.frames.frame_count))
        hand, T_view_object = _draw_side(scene, row, generator)
        hands.append(torch.from_numpy(hand).to(scene.device))
        looks.append(look_at_field(scene.object_distance.query, lookup, T_view_object))
    known = torch.stack([_known(scene, pixels, lookup, look) for look in looks])
    shown = torch.cat([look.picture() for look in looks])
    first = EARLIEST + (LATEST - EARLIEST) * progress
    drawn = torch.randn(shown.shape, generator=torch.Generator().manual_seed(seed)).to(shown)
    noisy = add_noise(shown, drawn, torch.full((VIEWS,), first, device=scene.device))
    fixed = known.reshape(VIEWS, 1, *shown.shape[-2:])
    denoise = imagination.prior.denoiser(torch.stack(hands), imagination.category)
    believed = settled(walk_back(noisy, denoise, first, WALK, lambda picture: torch.where(fixed, shown, picture.clamp(-1, 1))))
    parts = [_rays_of(look, picture, seen) for look, picture, seen in zip(looks, believed, known)]
    return ImaginedRays(*(torch.cat([getattr(part, name) for part in parts]) for name in ImaginedRays.__dataclass_fields__))


def _draw_side(scene: Scene, row: int, generator: np.random.Generator) -> tuple[Float[np.ndarray, "channel=8 row column"], Float[Tensor, "4 4"]]:
    """The first hand of a frame from a random side, and where the object lies in that view; left hands are mirrored."""
    actor, poses = scene.hands()[0]
    rows = torch.tensor([row])
    posed = actor.model.pose(poses.shape(), poses.pose(rows), torch.eye(4, device=scene.device)[None])
    vertices, faces = posed.vertices[0].double().cpu().numpy(), actor.model.faces.cpu().numpy()
    rest = actor.model.shaped(poses.shape())[0].double().cpu().numpy()
    centre = posed.keypoints[0].double().cpu().numpy().mean(0)
    mirror = np.eye(3)
    if poses.side == "left":
        mirror[0, 0] = -1.0
        faces = faces[:, ::-1]
    hand = Mesh(vertices @ mirror, faces)
    view = GeometryView(Rotation.random(random_state=int(generator.integers(2**31))).as_matrix(), mirror @ centre)
    picture = draw_hand(view.points(hand.vertices), vertex_normals(hand) @ view.R_view_hand.T, faces, rest @ mirror)
    T_hand_object = (invert_rigid(poses.T_camera_hand(rows)) @ scene.frames.T_camera_object(rows))[0]
    T_view_hand = torch.eye(4)
    T_view_hand[:3, :3] = torch.from_numpy(view.R_view_hand @ mirror).float()
    T_view_hand[:3, 3] = -torch.from_numpy(view.R_view_hand @ view.centre).float()
    return picture, T_view_hand.to(scene.device) @ T_hand_object


def _known(scene: Scene, pixels: FramePixels, lookup: CachedDistance, look: FieldLook) -> Bool[Tensor, "ray"]:
    """Rays on surface that the clip has shown, and rays that pass beside everything that silhouettes leave room for."""
    known = torch.zeros(len(look.cover), dtype=torch.bool, device=look.cover.device)
    known[look.cover] = find_seen(scene, pixels, lookup, look.surface[look.cover], look.normal[look.cover])
    if scene.hull is not None:
        along = torch.linspace(0, VIEW_EXTENT, 64, device=look.origin.device)
        points = look.origin[:, None] + along[None, :, None] * look.direction
        distance = lookup_grid(scene.hull.values, scene.hull.lower, scene.hull.spacing, points.reshape(-1, 3))
        beside = distance.reshape(len(look.origin), -1).amin(1) > OUTSIDE_HULL
        known |= beside & ~look.cover
    return known


def _rays_of(look: FieldLook, believed: Float[Tensor, "channel=5 row column"], known: Bool[Tensor, "ray"]) -> ImaginedRays:
    """The rays on which the prior may say something and on which there is something to say: none beside a ray on which the clip does."""
    beside = functional.max_pool2d((known & look.cover).float().reshape(1, 1, VIEW_SIZE, VIEW_SIZE), 3, 1, 1).reshape(-1) > 0
    cover, normal, depth = (believed[0] > 0).reshape(-1), believed[1:4].reshape(3, -1).t(), believed[4].reshape(-1)
    chosen = ~(known | beside) & (cover | look.cover)
    scale = VIEW_EXTENT / 2
    return ImaginedRays(
        surface=look.surface[chosen],
        nearest=look.nearest[chosen],
        covered=look.cover[chosen],
        depth=scale * depth_in_view(look.T_view_object, look.surface[chosen]),
        direction=look.direction.expand(int(chosen.sum()), 3),
        to_cover=cover[chosen],
        to_depth=scale * depth[chosen],
        to_normal=normal[chosen] @ look.T_view_object[:3, :3],
    )


def imagined_loss(field: DistanceField, rays: ImaginedRays, count: int, generator: torch.Generator) -> Float[Tensor, ""]:
    """How far the field is from the beliefs, over `count` rays drawn anew: 1 is 5 mm, or normals at 60 degrees.

    Where both have a surface: its depth and its normal. Where only the belief has one, the field must come down to it; where only the field
    has one, it must rise until the ray passes. Distances, not covers, so that a surface is pulled from however far it is.
    """
    if len(rays.covered) == 0:
        return field.table.sum() * 0.0
    chosen = torch.randint(len(rays.covered), (min(count, len(rays.covered)),), generator=generator).to(rays.covered.device)
    both = rays.covered[chosen] & rays.to_cover[chosen]
    at_surface = field.query(rays.surface[chosen][both])
    slope = (at_surface.gradient.detach() * rays.direction[chosen][both]).sum(1).clamp(max=-0.2)
    depth = rays.depth[chosen][both] - (at_surface.signed_distance - at_surface.signed_distance.detach()) / slope
    depth_error = (depth - rays.to_depth[chosen][both]).abs() * slope.abs() / LENGTH
    unit = at_surface.gradient / at_surface.gradient.norm(dim=1, keepdim=True).clamp(min=1e-6)
    normal_error = 1 - (unit * rays.to_normal[chosen][both]).sum(1)
    lowest = field.query(rays.nearest[chosen][~both]).signed_distance
    wanted = torch.where(rays.to_cover[chosen][~both], 1.0, -1.0)
    cover_error = torch.relu(wanted * lowest) / LENGTH
    errors = torch.cat([depth_error + 2 * normal_error, cover_error])
    return errors.sum() / len(chosen)
