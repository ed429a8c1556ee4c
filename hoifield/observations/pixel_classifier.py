"""What one pixel looks like, and a forest that tells background, object and hand apart in one clip."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, Int, UInt8
from numba import njit, prange
from sklearn.ensemble import ExtraTreesClassifier

from hoifield.observations.hand_region import HandRegion

CLASS_COUNT = 3
"""0 background, 1 object, 2 hand (of either side)."""


def pixel_features(
    picture: UInt8[np.ndarray, "height width 3"],
    regions: tuple[HandRegion, ...],
    left: int = 0,
    top: int = 0,
    maps: tuple[Float32[np.ndarray, "height width"], ...] = (),
) -> Float32[np.ndarray, "height width feature"]:
    """Features of every pixel: Lab at three scales, local contrast, place relative to the hand, then the given extra `maps`.

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
    return np.concatenate(layers, axis=-1)


@dataclass(frozen=True)
class PixelClassifier:
    """A fitted forest, flattened: split feature (-1 at a leaf), threshold, children and class shares of every node."""

    roots: Int[np.ndarray, "tree"]
    feature: Int[np.ndarray, "node"]
    threshold: Float32[np.ndarray, "node"]
    children: Int[np.ndarray, "node 2"]
    share: Float32[np.ndarray, "node class"]

    def predict(self, features: Float32[np.ndarray, "pixel feature"]) -> Float32[np.ndarray, "pixel class=3"]:
        """Mean class share over the trees: probabilities that sum to one."""
        pixels = np.ascontiguousarray(features, np.float32)
        return _evaluate(pixels, self.roots, self.feature, self.threshold, self.children, self.share)


def fit_pixel_classifier(
    features: Float32[np.ndarray, "pixel feature"], classes: Int[np.ndarray, "pixel"], seed: int, trees: int = 60
) -> PixelClassifier:
    """Extremely randomised trees (Geurts et al. 2006), the three classes weighted alike. `classes` must hold 0 and 1."""
    forest = ExtraTreesClassifier(
        n_estimators=trees, min_samples_leaf=4, max_depth=16, max_features=5, class_weight="balanced", n_jobs=2, random_state=seed
    )
    forest.fit(features, classes)
    columns = forest.classes_.astype(int)
    roots, feature, threshold, children, share = [], [], [], [], []
    start = 0
    for estimator in forest.estimators_:
        tree = estimator.tree_
        roots.append(start)
        feature.append(np.where(tree.children_left < 0, -1, tree.feature))
        threshold.append(tree.threshold)
        children.append(np.stack([tree.children_left, tree.children_right], axis=-1) + start)
        values = np.zeros((tree.node_count, CLASS_COUNT))
        values[:, columns] = tree.value[:, 0] / tree.value[:, 0].sum(-1, keepdims=True)
        share.append(values)
        start += tree.node_count
    return PixelClassifier(
        roots=np.array(roots, np.int32),
        feature=np.concatenate(feature).astype(np.int32),
        threshold=np.concatenate(threshold).astype(np.float32),
        children=np.concatenate(children).astype(np.int32),
        share=np.concatenate(share).astype(np.float32),
    )


@njit(cache=True, parallel=True)
def _evaluate(
    pixels: np.ndarray, roots: np.ndarray, feature: np.ndarray, threshold: np.ndarray, children: np.ndarray, share: np.ndarray
) -> np.ndarray:
    count, classes, block = pixels.shape[0], share.shape[1], 512
    probability = np.zeros((count, classes), np.float32)
    for chunk in prange((count + block - 1) // block):
        stop = min(count, (chunk + 1) * block)
        for tree in range(len(roots)):
            for pixel in range(chunk * block, stop):
                node = roots[tree]
                while feature[node] >= 0:
                    node = children[node, 0] if pixels[pixel, feature[node]] <= threshold[node] else children[node, 1]
                for label in range(classes):
                    probability[pixel, label] += share[node, label]
    return probability / np.float32(len(roots))
