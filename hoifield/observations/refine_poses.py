"""Object poses refined against the running visual hull: carve, align every frame, carve again; from fat to thin where poses are too rough to carve."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from hoifield.observations.pose_offsets import compose_offset
from hoifield.observations.refine_silhouettes import (
    RefineConfig,
    SilhouetteRays,
    agreement,
    align_to_hull,
    gather_rays,
    hull_colours,
    match_size,
)
from hoifield.observations.visual_hull import CarveConfig, HullGrid, SilhouetteEvidence, carve_hull, fatten

FIRST_NODES, LAST_NODES = 40, 60
"""Nodes along the side of the hulls that poses are aligned to (see CarveConfig.resolution)."""
EXPLAINED = 0.7
"""Median agreement of the first hull with its silhouettes below which the poses are too rough to carve with."""
FATTENED = (0.2, 0.1, 0.05, 0.025)
"""By how much silhouettes are then fattened, shares of the object's radius: the first is what a turn of 11 degrees moves its end."""
FAT_ROUNDS = 2
BLUR = 0.35
"""Share of the fat by which a contour may be off."""
SOFTEST, SOFTENING = 0.15, 2.0
"""Share of the frames overruled up to which a carving is softened further, and the factor from one to the next."""
GAIN = 0.03
"""Of agreement, that a softer carving must bring."""


@dataclass(frozen=True)
class RefinedPoses:
    """The outcome of one refinement, for the frames of the evidence."""

    T_camera_object: Float[np.ndarray, "frame 4 4"]
    hull: HullGrid
    carve: CarveConfig
    """How that was carved."""
    silhouette_iou: Float[np.ndarray, "frame"]
    colour_residual: Float[np.ndarray, "frame"]
    """Median RGB distance of object pixels to the hull's mean colour; NaN without images."""


def refine_poses(evidence: SilhouetteEvidence, start: Float[np.ndarray, "frame 4 4"], radius: float, config: RefineConfig) -> RefinedPoses | None:
    """Poses and hull after alternating: carve the hull, align every frame to it. None where the hull vanishes.

    `start` are finite T_camera_object for the frames of the evidence; `radius` (metres) bounds the object around its origin. Carving
    begins soft (poses are rough, a hard intersection would eat the object) and ends firm; where the object may be `thin`, as firm as the
    silhouettes stay explained, and where the first hull does not explain them, they are fattened at first. The
    last hull is carved from every second frame when the agreement is measured, so that half of the frames are held out, and from all frames
    for the result.
    """
    rays = gather_rays(evidence, config.seed)
    offset = np.zeros((len(start), 6))
    carve = CarveConfig(background_share=config.first_share, hand_margin=config.hand_margin, resolution=FIRST_NODES)
    if config.thin and _explained(evidence, start, radius, carve, rays) < EXPLAINED:
        offset = _align_fattened(evidence, start, radius, carve, config)
    firm = replace(carve, background_share=config.last_share)
    final = _firmest(evidence, compose_offset(start, offset), radius, firm, rays) if config.thin else firm
    first_share = max(config.first_share, final.background_share)
    softness = np.geomspace(first_share, final.background_share, config.rounds)
    sizes = np.linspace(FIRST_NODES, LAST_NODES, config.rounds).astype(int)
    for share, size in zip(softness, sizes, strict=True):
        hull = carve_sized(evidence, compose_offset(start, offset), radius, replace(carve, background_share=float(share), resolution=int(size)), rays)
        if hull is None:
            return None
        offset = align_to_hull(evidence, rays, hull, start, offset, config, gauge_fixed=True)
    poses = compose_offset(start, offset)
    final = replace(_firmest(evidence, poses, radius, firm, rays) if config.thin else firm, resolution=CarveConfig.resolution)
    hull = carve_sized(evidence, poses, radius, final, rays)
    if hull is None:
        return None
    return RefinedPoses(poses, hull, final, _held_out_agreement(evidence, poses, radius, final, rays), _colour_residuals(hull, evidence, poses, rays))


def carve_sized(
    evidence: SilhouetteEvidence, poses: Float[np.ndarray, "frame 4 4"], radius: float, carve: CarveConfig, rays: SilhouetteRays
) -> HullGrid | None:
    """The hull under these poses that the median contour ray grazes."""
    hull = carve_hull(evidence, poses, radius, carve)
    return None if hull is None else match_size(hull, evidence, poses, rays)


def _explained(evidence: SilhouetteEvidence, poses: Float[np.ndarray, "frame 4 4"], radius: float, carve: CarveConfig, rays: SilhouetteRays) -> float:
    """Median agreement of the silhouettes with the hull carved from them; 0 where it vanishes."""
    hull = carve_sized(evidence, poses, radius, carve, rays)
    return 0.0 if hull is None else float(np.nanmedian(agreement(hull, evidence, poses)))


def _firmest(
    evidence: SilhouetteEvidence, poses: Float[np.ndarray, "frame 4 4"], radius: float, carve: CarveConfig, rays: SilhouetteRays
) -> CarveConfig:
    """The carving, softened as long as every step explains clearly more of the silhouettes."""
    explained = _explained(evidence, poses, radius, carve, rays)
    while carve.background_share < SOFTEST:
        softer = replace(carve, background_share=carve.background_share * SOFTENING)
        attempt = _explained(evidence, poses, radius, softer, rays)
        if attempt < explained + GAIN:
            break
        carve, explained = softer, attempt
    return carve


def _align_fattened(
    evidence: SilhouetteEvidence, start: Float[np.ndarray, "frame 4 4"], radius: float, carve: CarveConfig, config: RefineConfig
) -> Float[np.ndarray, "frame 6"]:
    """Offsets of the poses from the start, found with an object that is fatter than it looks by less and less: rough poses carve it too."""
    offset = np.zeros((len(start), 6))
    pixels_of_radius = radius * evidence.camera.focal / float(np.median(start[:, 2, 3]))
    for share in FATTENED:
        pixels = share * pixels_of_radius
        fat = fatten(evidence, pixels)
        fat = replace(fat, imagined=None if fat.imagined is None else fat.imagined.let_out(share * radius))
        rays, coarse = gather_rays(fat, config.seed), replace(config, contour_pixels=max(config.contour_pixels, BLUR * pixels))
        for _ in range(FAT_ROUNDS):
            hull = carve_sized(fat, compose_offset(start, offset), (1 + share) * radius, carve, rays)
            if hull is None:
                return offset
            offset = align_to_hull(fat, rays, hull, start, offset, coarse, gauge_fixed=True)
    return offset


def _held_out_agreement(evidence: SilhouetteEvidence, poses: np.ndarray, radius: float, carve: CarveConfig, rays: SilhouetteRays) -> np.ndarray:
    """Each half of the frames against the hull carved from the other half."""
    iou = np.full(len(poses), np.nan)
    for parity in (0, 1):
        train = np.arange(len(poses)) % 2 == parity
        half = replace(evidence, weight=np.where(train, evidence.weight, 0.0))
        hull = carve_hull(half, poses, radius, replace(carve, resolution=52))
        if hull is not None:
            hull = match_size(hull, half, poses, rays)
            iou[~train] = agreement(hull, evidence, poses)[~train]
    return iou


def _colour_residuals(hull: HullGrid, evidence: SilhouetteEvidence, poses: Float[np.ndarray, "frame 4 4"], rays: SilhouetteRays) -> np.ndarray:
    """Median RGB distance of each frame's object pixels to the hull's mean colour; NaN without images."""
    if evidence.images is None:
        return np.full(len(poses), np.nan)
    colours, _, hits = hull_colours(hull, evidence, poses, rays)
    known = np.flatnonzero(np.isfinite(hits[:, 0]))
    where = ((hits[known] - hull.lower) / hull.spacing).T
    expected = np.stack([ndimage.map_coordinates(layer, where, order=1, mode="nearest") for layer in colours], axis=1)
    distance = np.linalg.norm(expected - rays.colour[known], axis=1)
    frame = rays.frame[known]
    return np.array([np.median(distance[frame == f]) if (frame == f).any() else np.nan for f in range(len(poses))])
