"""Features followed over frames: which observations belong to one point of the body."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from hoifield.observations.motion_features import FrameFeatures

LEAST_LENGTH = 3
"""Frames that must show a point: two views of one always agree."""


@dataclass(frozen=True)
class FeatureTracks:
    """Observations of points, one row each."""

    frame: Int[np.ndarray, "seen"]
    point: Int[np.ndarray, "seen"]
    """Numbered from 0 without gaps."""
    pixel: Float[np.ndarray, "seen 2"]

    @property
    def point_count(self) -> int:
        """How many points there are."""
        return int(self.point.max()) + 1 if len(self.point) else 0

    def in_frames(self, rows: Int[np.ndarray, "part"]) -> "FeatureTracks":
        """What some frames show, these and the points numbered anew; points that too few of them show are left out."""
        number = np.full(max(int(self.frame.max()), int(rows.max())) + 1, -1)
        number[rows] = np.arange(len(rows))
        seen = number[self.frame] >= 0
        seen &= np.bincount(self.point[seen], minlength=self.point_count)[self.point] >= LEAST_LENGTH
        _, point = np.unique(self.point[seen], return_inverse=True)
        return FeatureTracks(number[self.frame[seen]], point, self.pixel[seen])

    def longest(self, most: int) -> "FeatureTracks":
        """The points seen in most frames, numbered anew."""
        length = np.bincount(self.point)
        number = np.full(len(length), -1)
        kept = np.argsort(-length, kind="stable")[:most]
        number[kept] = np.arange(len(kept))
        rows = number[self.point] >= 0
        return FeatureTracks(self.frame[rows], number[self.point[rows]], self.pixel[rows])


def connect_matches(
    matched_frames: Int[np.ndarray, "match 2"], matched_features: Int[np.ndarray, "match 2"], features: Sequence[FrameFeatures], zoom: float
) -> FeatureTracks:
    """The tracks that pairs of matching features add up to; pixels are multiplied by `zoom`.

    Two features of one frame cannot be one point: where matches join them, neither is believed.
    """
    counts = np.array([len(found.pixels) for found in features])
    first = np.concatenate([[0], np.cumsum(counts)])
    ends = first[matched_frames] + matched_features
    graph = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(first[-1], first[-1]))
    _, group = connected_components(graph, directed=False)
    frame = np.repeat(np.arange(len(counts)), counts)
    _, place, alike = np.unique(group.astype(np.int64) * len(counts) + frame, return_inverse=True, return_counts=True)
    single = np.flatnonzero(alike[place] == 1)
    long_enough = single[np.bincount(group[single], minlength=len(group))[group[single]] >= LEAST_LENGTH]
    _, point = np.unique(group[long_enough], return_inverse=True)
    pixels = np.concatenate([found.pixels for found in features]).astype(float)
    return FeatureTracks(frame[long_enough], point, pixels[long_enough] * zoom)
