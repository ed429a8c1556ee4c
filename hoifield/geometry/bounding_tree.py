"""A tree of axis-aligned boxes over the triangles of a mesh: built by median splits, refitted when the vertices move."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numba import njit

LEAF_SIZE = 4


@dataclass(frozen=True)
class BoundingTree:
    """Nodes in an order where children follow their parent; a leaf has `child` -1 and owns `order[first : first + count]`."""

    boxes: Float[np.ndarray, "node 6"]
    """Lower corner, upper corner; metres."""
    child: Int[np.ndarray, "node"]
    """The left child; the right one is the next node."""
    first: Int[np.ndarray, "node"]
    count: Int[np.ndarray, "node"]
    order: Int[np.ndarray, "face"]
    """Faces in leaf order."""


def build_tree(corners: Float[np.ndarray, "face 3 3"]) -> BoundingTree:
    """The tree over triangles given by their corners: split at the median centroid along the widest axis, leaves of four."""
    nodes = max(1, 4 * len(corners) // LEAF_SIZE + 2)
    child = np.full(nodes, -1, dtype=np.int32)
    first, count = np.zeros((2, nodes), dtype=np.int32)
    order = np.arange(len(corners), dtype=np.int32)
    used = _split(corners.mean(axis=1), order, child, first, count)
    boxes = np.empty((used, 6))
    tree = BoundingTree(boxes, child[:used].copy(), first[:used].copy(), count[:used].copy(), order)
    refit_boxes(corners[order], tree.child, tree.first, tree.count, boxes)
    return tree


@njit(cache=True)
def _split(centroids, order, child, first, count):
    """Fill the node arrays; returns how many nodes were used."""
    first[0], count[0] = 0, len(order)
    used = 1
    node = 0
    while node < used:
        if count[node] > LEAF_SIZE:
            start, size = first[node], count[node]
            members = order[start : start + size]
            axis, widest = 0, -1.0
            for k in range(3):
                values = centroids[members, k]
                extent = values.max() - values.min()
                if extent > widest:
                    axis, widest = k, extent
            order[start : start + size] = members[np.argsort(centroids[members, axis], kind="mergesort")]
            half = size // 2
            child[node] = used
            first[used], count[used] = start, half
            first[used + 1], count[used + 1] = start + half, size - half
            used += 2
        node += 1
    return used


@njit(cache=True)
def refit_boxes(corners, child, first, count, boxes):
    """Recompute the boxes, bottom up, for triangles in leaf order (`corners` face 3 3) whose corners have moved."""
    for node in range(len(child) - 1, -1, -1):
        for k in range(3):
            low, high = np.inf, -np.inf
            if child[node] >= 0:
                left = child[node]
                low = min(boxes[left, k], boxes[left + 1, k])
                high = max(boxes[left, k + 3], boxes[left + 1, k + 3])
            else:
                for face in range(first[node], first[node] + count[node]):
                    for corner in range(3):
                        low = min(low, corners[face, corner, k])
                        high = max(high, corners[face, corner, k])
            boxes[node, k], boxes[node, k + 3] = low, high
