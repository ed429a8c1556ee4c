"""Does the field and renderer recover a shape with a cavity and a handle, from known poses and masks, in a minute of CPU?

Seen with one seed, 25 CPU s (some 850 steps of 29 ms, 16k samples, 1 thread): a final width of 0.003 of the half size (0.225 mm) leaves
walls 0.60 mm and the handle 0.41 mm inside the truth; 0.001 leaves 0.17 and 0.16 mm. With the viewing direction given to the colour,
walls fold and the handle is pitted. The cavity, 84 mm deep and seen from at most 65 degrees up, is dished but not emptied after 50 s.

Fits DistanceField + ColourField to rendered views of an analytic mug and prints volume, distances and step time against the truth:
    OMP_NUM_THREADS=1 python experiments/01_main_job/measure_field.py --seconds 50 --pictures FOLDER
"""

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

import matplotlib.image
import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree
from skimage.measure import marching_cubes

from hoifield.fields.colour_field import ColourField
from hoifield.fields.density import density_from_distance
from hoifield.fields.distance_field import DistanceField
from hoifield.geometry.cameras import Camera, pixel_directions
from hoifield.geometry.mesh import Mesh, sample_surface, signed_volume
from hoifield.geometry.trilinear import lookup_grid
from hoifield.renderer.composite import composite
from hoifield.renderer.ray_bounds import intersect_box
from hoifield.renderer.sample_rays import merge_samples, sample_rays

HALF_SIZE = 0.075
SIZE = 160
FOCAL = 260.0


def measure_mug(points):
    """Signed distance (m) of a mug: a cylinder of 35 mm x 90 mm with a cavity, walls of 5 mm, and a handle of 5 mm radius."""
    x, y, z = (points - torch.tensor([0.012, 0.0, 0.0])).unbind(-1)
    radial = torch.hypot(x, y)

    def cylinder(radius, low, high):
        a, b = radial - radius, (z - (low + high) / 2).abs() - (high - low) / 2
        return torch.maximum(a, b).clamp(max=0) + torch.hypot(a.clamp(min=0), b.clamp(min=0))

    cup = torch.maximum(cylinder(0.035, -0.045, 0.045), -cylinder(0.030, -0.039, 0.09))
    handle = torch.hypot(torch.hypot(x + 0.038, z) - 0.022, y) - 0.005
    handle = torch.maximum(handle, 0.0325 - radial)
    return torch.minimum(cup, handle)


def differentiate(points, step=2e-4):
    """Unit normals of the mug by central differences."""
    shifts = torch.eye(3) * step
    slopes = [measure_mug(points + shift) - measure_mug(points - shift) for shift in shifts]
    return torch.nn.functional.normalize(torch.stack(slopes, dim=-1), dim=-1)


@dataclass(frozen=True)
class Views:
    """Rendered views: rays in the object frame, colours and masks of all pixels."""

    T_camera_object: torch.Tensor
    origins: torch.Tensor
    directions: torch.Tensor
    colour: torch.Tensor
    mask: torch.Tensor


def place_cameras(count, generator):
    """Object poses in the camera, from all around and mostly above, 0.32 m away."""
    poses = []
    for k in range(count):
        azimuth, elevation = 2 * math.pi * k * 0.381966, math.radians(-20 + 85 * ((k * 0.618034) % 1))
        forward = -torch.tensor([math.cos(azimuth) * math.cos(elevation), math.sin(azimuth) * math.cos(elevation), math.sin(elevation)])
        right = torch.nn.functional.normalize(torch.linalg.cross(forward, torch.tensor([0.0, 0.0, 1.0])), dim=0)
        R = torch.stack([right, torch.linalg.cross(forward, right), forward])
        T = torch.eye(4)
        T[:3, :3] = R
        T[:3, 3] = torch.tensor([0.0, 0.0, 0.32]) + 0.005 * torch.randn(3, generator=generator)
        poses.append(T)
    return torch.stack(poses)


def trace(measure, origins, directions, steps=100):
    """Sphere tracing: where rays meet a surface, and whether they do."""
    distance = torch.full((len(origins),), 0.15)
    active = torch.arange(len(origins))
    for _ in range(steps):
        gap = measure(origins[active] + distance[active, None] * directions[active])
        distance[active] += gap
        active = active[(gap > 2e-5) & (distance[active] < 0.6)]
        if len(active) == 0:
            break
    points = origins + distance[:, None] * directions
    return points, (distance < 0.6) & (measure(points) < 5e-4)


def object_rays(T):
    """Rays of all pixels of one view in the object frame."""
    camera = Camera.from_focal(FOCAL, SIZE, SIZE)
    ys, xs = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    pixels = torch.stack([xs, ys], dim=-1).reshape(-1, 2) + 0.5
    R, t = T[:3, :3], T[:3, 3]
    directions = pixel_directions(pixels, torch.tensor(camera.K, dtype=torch.float32)) @ R
    return (-t @ R).expand_as(directions), directions


def render_truth(count, seed):
    """Views of the mug under a light fixed in the camera, with a smooth painted pattern."""
    T = place_cameras(count, torch.Generator().manual_seed(seed))
    parts = []
    for pose in T:
        origins, directions = object_rays(pose)
        points, mask = trace(measure_mug, origins, directions)
        normal = differentiate(points)
        light = torch.nn.functional.normalize(torch.tensor([0.3, -0.5, -1.0]), dim=0)
        shade = 0.35 + 0.65 * (normal @ pose[:3, :3].T @ light).clamp(min=0)
        albedo = 0.55 + 0.3 * torch.sin(points * torch.tensor([110.0, 90.0, 130.0]) + points.flip(-1) * 70)
        parts.append((origins, directions, torch.where(mask[:, None], albedo * shade[:, None], 0.0), mask))
    return Views(T, *(torch.stack(part) for part in zip(*parts)))


def carve_hull(views, count=72):
    """Hull as a signed distance: the maximum over views of the pixel distance to the mask x depth / focal."""
    axis = torch.linspace(-HALF_SIZE, HALF_SIZE, count)
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).reshape(-1, 3)
    hull = torch.full((len(points),), -torch.inf)
    for T, mask in zip(views.T_camera_object, views.mask.reshape(-1, SIZE, SIZE).numpy()):
        pixel_distance = np.where(mask, 0.5 - distance_transform_edt(mask), distance_transform_edt(~mask) - 0.5)
        local = points @ T[:3, :3].T + T[:3, 3]
        uv = (local[:, :2] / local[:, 2:] * FOCAL + SIZE / 2).floor().long().clamp(0, SIZE - 1)
        seen = torch.from_numpy(pixel_distance)[uv[:, 1], uv[:, 0]].float()
        hull = torch.maximum(hull, seen * local[:, 2] / FOCAL)
    return hull.reshape(count, count, count), torch.full((3,), -HALF_SIZE), float(axis[1] - axis[0])


@dataclass(frozen=True)
class FitSettings:
    """The settings that worked, in units of the half size of the bounds where they are lengths."""

    seconds: float
    rays: int = 1024
    samples: int = 16
    width_start: float = 0.03
    width_end: float = 0.001
    seed: int = 0
    table_rate: float = 1e-2
    eikonal_weight: float = 0.05
    first_levels: float = 8.0
    """Levels of the grid open at the start; all from half of the budget on."""
    view_dependent: bool = False


def choose_rays(views, hull, settings):
    """Indices of pixels on the object, and of others near the hull."""
    lookup = CachedDistance(*hull)
    near_rays = []
    for origins, directions in zip(views.origins, views.directions):
        near, far = intersect_box(origins, directions, lookup.lower, lookup.upper)
        t = near[:, None] + (torch.arange(32) + 0.5) / 32 * (far - near)[:, None]
        distance = lookup.lookup((origins[:, None] + t[..., None] * directions[:, None]).reshape(-1, 3)).reshape(t.shape)
        near_rays.append((distance < 0.12 * HALF_SIZE).any(dim=-1))
    near_rays, mask = torch.stack(near_rays).reshape(-1), views.mask.reshape(-1)
    return mask.nonzero()[:, 0], (near_rays & ~mask).nonzero()[:, 0]


def refresh(cached, measure, band):
    """The grid with the vertices closer than `band` (m) to the surface measured anew: a few times cheaper than all of them."""
    near = (cached.values.abs() < band).nonzero()
    values = cached.values.clone()
    values[near.unbind(-1)] = measure(near.to(values.dtype) * cached.spacing + cached.lower)
    return CachedDistance(values, cached.lower, cached.spacing)


def render_batch(field, colour_field, cached, batch, width, settings, generator):
    """Colour and opacity of a batch of rays, and the gradients of the field at its samples."""
    origins, directions, T = batch
    stack, row = CachedDistances.of_one(cached), torch.zeros(len(origins), dtype=torch.int64)
    distances, intervals = merge_samples([sample_rays(origins, directions, stack, row, width, settings.samples, generator)])
    points = (origins[:, None] + distances[..., None] * directions[:, None]).reshape(-1, 3)
    sample = field.query(points)
    along = directions[:, None].expand(-1, settings.samples, 3).reshape(-1, 3)
    R = T[:, None, :3, :3].expand(-1, settings.samples, 3, 3).reshape(-1, 3, 3)
    shading = (R * torch.nn.functional.normalize(sample.gradient, dim=-1)[:, None]).sum(-1)
    colour = colour_field(sample.feature, sample.gradient, along, shading)
    shape = (len(origins), settings.samples, 1)
    weight = composite(density_from_distance(sample.signed_distance, width).reshape(shape), intervals).entity_weight
    return (weight * colour.reshape(*shape[:2], 3)).sum(dim=1), weight.sum(dim=(1, 2)), sample.gradient


def fit(views, hull, settings):
    """The fitted field, its colour, and the milliseconds of a step."""
    field = DistanceField(torch.zeros(3), HALF_SIZE, seed=settings.seed)
    colour_field = ColourField(field.feature_count, extra=3, view_dependent=settings.view_dependent, seed=settings.seed)
    print(f"start: error near the hull's surface {field.start_from_grid(*hull) * 1e3:.2f} mm")
    generator = torch.Generator().manual_seed(settings.seed)
    on_object, beside = choose_rays(views, hull, settings)
    networks = [*field.network.parameters(), *colour_field.parameters()]
    optimiser = torch.optim.Adam([{"params": [field.table], "lr": settings.table_rate}, {"params": networks, "lr": 2e-3}], fused=True)
    rates = [group["lr"] for group in optimiser.param_groups]
    pixel_count, flat = SIZE * SIZE, [part.flatten(0, 1) for part in (views.origins, views.directions, views.colour, views.mask)]
    started, step, cached = time.process_time(), 0, CachedDistance(*field.as_grid(96))
    while (progress := (time.process_time() - started) / settings.seconds) < 1:
        width = HALF_SIZE * settings.width_start * (settings.width_end / settings.width_start) ** min(1.0, progress / 0.8)
        for group, rate in zip(optimiser.param_groups, rates):
            group["lr"] = rate * 0.05 ** max(0.0, (progress - 0.4) / 0.6)
        field.open_levels = min(8.0, settings.first_levels + (8 - settings.first_levels) * progress / 0.5)
        if step % 50 == 49:
            band = 6 * width + 3 * cached.spacing
            cached = CachedDistance(*field.as_grid(96)) if step % 400 == 399 else refresh(cached, field.signed_distance, band)
        many = int(settings.rays * 0.6)
        pools = ((on_object, many), (beside, settings.rays - many))
        index = torch.cat([pool[torch.randint(len(pool), (n,), generator=generator)] for pool, n in pools])
        origins, directions, colour, mask = (part[index] for part in flat)
        batch = (origins, directions, views.T_camera_object[index // pixel_count])
        seen, opacity, gradient = render_batch(field, colour_field, cached, batch, width, settings, generator)
        hit = mask.float()
        opacity = opacity.clamp(1e-4, 1 - 1e-4)
        rgb = ((seen - colour).abs().sum(dim=-1) * hit).sum() / (3 * hit.sum())
        silhouette = torch.nn.functional.binary_cross_entropy(opacity, hit)
        eikonal = ((gradient.norm(dim=-1) - 1) ** 2).mean()
        loss = rgb + 0.3 * silhouette + settings.eikonal_weight * eikonal
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 200 == 0:
            terms = {"rgb": rgb, "silhouette": silhouette, "eikonal": eikonal}
            print(step, {name: round(float(term.detach()), 4) for name, term in terms.items()})
        step += 1
    return field, colour_field, settings.seconds / step * 1e3


def mesh_of(values, lower, spacing, level=0.0):
    """Marching cubes with outward faces, metres."""
    vertices, faces, _, _ = marching_cubes(values.numpy(), level, gradient_direction="descent")
    return Mesh(vertices * spacing + lower.numpy(), faces.astype(np.int64))


def score(mesh, truth):
    """Volume, squared Chamfer distance (both directions, cm^2) and F-scores against the truth, without alignment."""
    generator = np.random.default_rng(0)
    a, b = sample_surface(mesh, 20000, generator), sample_surface(truth, 20000, generator)
    forth, back = cKDTree(b).query(a)[0], cKDTree(a).query(b)[0]
    scores = {"volume_cm3": signed_volume(mesh) * 1e6, "cd_cm2": ((forth**2).mean() + (back**2).mean()) * 1e4}
    for threshold in (1, 2, 5):
        precision, recall = (forth < threshold / 1e3).mean(), (back < threshold / 1e3).mean()
        scores[f"f{threshold}_pct"] = 200 * precision * recall / (precision + recall)
    return {name: round(float(value), 4) for name, value in scores.items()}


def draw(folder, fields, pose, colours):
    """Shaded pictures of distance functions in one view, and the colours of truth and fit, side by side."""
    origins, directions = object_rays(pose)
    pictures = []
    for measure in fields:
        points, mask = trace(measure, origins, directions)
        step = 3e-4 * torch.eye(3)
        normal = torch.nn.functional.normalize(torch.stack([measure(points + s) - measure(points - s) for s in step], -1), dim=-1)
        shade = 0.2 + 0.8 * (-(normal * directions).sum(-1)).clamp(min=0)
        pictures.append(torch.where(mask, shade, 1.0)[:, None].expand(-1, 3))
    row = torch.cat([picture.reshape(SIZE, SIZE, 3) for picture in (*pictures, *colours)], dim=1).clamp(0, 1)
    matplotlib.image.imsave(folder, np.kron(row.numpy(), np.ones((2, 2, 1))))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=50.0, help="CPU seconds of the fit")
    parser.add_argument("--views", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--view-dependent", action="store_true", help="give the viewing direction to the colour")
    parser.add_argument("--pictures", type=Path, help="folder for pictures")
    arguments = parser.parse_args()
    views = render_truth(arguments.views, seed=0)
    hull = carve_hull(views)
    settings = FitSettings(arguments.seconds, seed=arguments.seed, view_dependent=arguments.view_dependent)
    field, colour_field, step_ms = fit(views, hull, settings)
    axis = torch.linspace(-HALF_SIZE, HALF_SIZE, 220)
    grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)
    truth = mesh_of(measure_mug(grid), torch.full((3,), -HALF_SIZE), float(axis[1] - axis[0]))
    fitted = field.as_grid(160)
    print(json.dumps({"truth": score(truth, truth), "hull": score(mesh_of(*hull), truth), "step_ms": round(step_ms, 1)}))
    for level in (0.0, 1.0, 2.0, 3.0):
        offset = level * settings.width_end * HALF_SIZE
        print(json.dumps({"level_widths": level, **score(mesh_of(*fitted, offset), truth)}))
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
        cached = CachedDistance(*fitted)
        for k in (0, 3, 7, 12):
            pose = views.T_camera_object[k]
            rays = (*object_rays(pose), pose.expand(SIZE * SIZE, 4, 4))
            width = settings.width_end * HALF_SIZE
            with torch.no_grad():
                seen, _, _ = render_batch(field, colour_field, cached, rays, width, settings, torch.Generator().manual_seed(0))
            functions = (measure_mug, lambda p: lookup_grid(*hull, p), field.signed_distance)
            draw(arguments.pictures / f"view_{k}.png", functions, pose, (views.colour[k], seen))


if __name__ == "__main__":
    main()
