"""What one pixel looks like, and a forest that tells background, object and hand apart in one clip."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, Int, UInt8, UInt32
from numba import njit, prange
from sklearn.ensemble import ExtraTreesClassifier

from hoifield.observations.hand_region import HandRegion

CLASS_COUNT = 3
"""0 background, 1 object, 2 hand (of either side)."""
_BLOCK = 256
"""Pixels that walk a tree together."""


def pixel_features(
    picture: UInt8[np.ndarray, "height width 3"],
    regions: tuple[HandRegion, ...],
    left: int = 0,
    top: int = 0,
    maps: tuple[Float32[np.ndarray, "height width"], ...] = (),
    step: int = 1,
) -> Float32[np.ndarray, "rows columns feature"]:
    """Features of every `step`-th pixel: Lab at three scales, local contrast, place relative to the hand, then the given extra `maps`.

    `picture` is the part of the working picture whose upper left pixel is (`left`, `top`); `regions` are the hands of the frame in
    pixels of the whole working picture. Distances are in hand lengths, clipped.
    """
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float32)
    fine = cv2.GaussianBlur(lab, (0, 0), 2.5)
    coarse = cv2.GaussianBlur(lab, (0, 0), 8.0)
    variance = cv2.GaussianBlur(lab[..., 0] ** 2, (0, 0), 2.5) - fine[..., 0] ** 2
    height, width = picture.shape[:2]
    layers = [lab, fine, coarse, np.sqrt(np.maximum(variance, 0.0))[..., None]]
    if regions:
        distance = np.min([region.signed_distance(left, top, width, height) for region in regions], axis=0)
        layers.append(np.clip(distance, -0.3, 1.0)[..., None].astype(np.float32))
    layers.extend(layer[..., None].astype(np.float32) for layer in maps)
    return np.concatenate([layer[::step, ::step] for layer in layers], axis=-1)


@dataclass(frozen=True)
class PixelClassifier:
    """A fitted forest, flattened: every tree's nodes from the root down, the two children of a node side by side."""

    roots: UInt32[np.ndarray, "tree"]
    depths: Int[np.ndarray, "tree"]
    feature: UInt32[np.ndarray, "node"]
    threshold: Float32[np.ndarray, "node"]
    """Values above it belong to the right child; infinite at a leaf."""
    left: UInt32[np.ndarray, "node"]
    """The left child, before the right one; a leaf is its own child."""
    share: Float32[np.ndarray, "node class"]

    def predict(self, features: Float32[np.ndarray, "pixel feature"]) -> Float32[np.ndarray, "pixel class=3"]:
        """Mean class share over the trees: probabilities that sum to one."""
        pixels = np.ascontiguousarray(features, np.float32)
        return _evaluate(pixels, self.roots, self.depths, self.feature, self.threshold, self.left, self.share)


def fit_pixel_classifier(
    features: Float32[np.ndarray, "pixel feature"], classes: Int[np.ndarray, "pixel"], seed: int, trees: int = 60
) -> PixelClassifier:
    """Extremely randomised trees (Geurts et al. 2006), the three classes weighted alike. `classes` must hold 0 and 1."""
    forest = ExtraTreesClassifier(
        n_estimators=trees, min_samples_leaf=4, max_depth=16, max_features=5, class_weight="balanced", n_jobs=2, random_state=seed
    )
    forest.fit(features, classes)
    columns = forest.classes_.astype(int)
    roots, depths, feature, threshold, left, share = [], [], [], [], [], []
    start = 0
    for estimator in forest.estimators_:
        tree = estimator.tree_
        order = _breadth_first(tree.children_left, tree.children_right)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        is_leaf = tree.children_left[order] < 0
        roots.append(start)
        depths.append(tree.max_depth)
        feature.append(np.where(is_leaf, 0, tree.feature[order]))
        threshold.append(np.where(is_leaf, np.inf, tree.threshold[order]))
        left.append(start + np.where(is_leaf, np.arange(len(order)), place[tree.children_left[order]]))
        values = np.zeros((len(order), CLASS_COUNT))
        values[:, columns] = tree.value[order, 0] / tree.value[order, 0].sum(-1, keepdims=True)
        share.append(values)
        start += len(order)
    return PixelClassifier(
        roots=np.array(roots, np.uint32),
        depths=np.array(depths, np.int64),
        feature=np.concatenate(feature).astype(np.uint32),
        threshold=np.concatenate(threshold).astype(np.float32),
        left=np.concatenate(left).astype(np.uint32),
        share=np.concatenate(share).astype(np.float32),
    )


def _breadth_first(left: Int[np.ndarray, "node"], right: Int[np.ndarray, "node"]) -> Int[np.ndarray, "node"]:
    """Numbers of a tree's nodes from the root down, children of one node side by side."""
    levels = [np.zeros(1, np.int64)]
    while len(levels[-1]):
        inner = levels[-1][left[levels[-1]] >= 0]
        levels.append(np.stack([left[inner], right[inner]], axis=-1).reshape(-1))
    return np.concatenate(levels)


@njit(cache=True, parallel=True)
def _evaluate(
    pixels: np.ndarray,
    roots: np.ndarray,
    depths: np.ndarray,
    feature: np.ndarray,
    threshold: np.ndarray,
    left: np.ndarray,
    share: np.ndarray,
) -> np.ndarray:
    # All pixels of a block take one step down together: no branch to mispredict, and unsigned places need no check for negative ones.
    count, classes = pixels.shape[0], share.shape[1]
    probability = np.zeros((count, classes), np.float32)
    for chunk in prange((count + _BLOCK - 1) // _BLOCK):
        first = chunk * _BLOCK
        size = min(count - first, _BLOCK)
        values = np.zeros((pixels.shape[1], _BLOCK), np.float32)
        for pixel in range(size):
            for layer in range(pixels.shape[1]):
                values[layer, pixel] = pixels[first + pixel, layer]
        flat = values.reshape(-1)
        nodes = np.empty(_BLOCK, np.uint32)
        for tree in range(len(roots)):
            nodes[:] = roots[tree]
            for _ in range(depths[tree]):
                for pixel in range(_BLOCK):
                    node = nodes[pixel]
                    value = flat[feature[node] * np.uint32(_BLOCK) + np.uint32(pixel)]
                    nodes[pixel] = left[node] + np.uint32(value > threshold[node])
            for pixel in range(size):
                for label in range(classes):
                    probability[first + pixel, label] += share[nodes[pixel], label]
    return probability / np.float32(len(roots))
