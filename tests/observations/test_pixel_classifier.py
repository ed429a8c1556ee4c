"""The flattened forest against the library's own prediction."""

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier

from hoifield.observations.hand_region import HandRegion
from hoifield.observations.pixel_classifier import fit_pixel_classifier, pixel_features


def clouds(classes: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(1)
    return (rng.normal(size=(len(classes), 6)) + classes[:, None] * np.array([1.5, 0, 1, 0, 0, 2])).astype(np.float32)


def test_the_flattened_forest_predicts_what_the_library_predicts() -> None:
    classes = np.random.default_rng(0).integers(0, 3, 900)
    features = clouds(classes)
    library = ExtraTreesClassifier(
        n_estimators=20, min_samples_leaf=4, max_depth=16, max_features=5, class_weight="balanced", random_state=3
    ).fit(features, classes)
    ours = fit_pixel_classifier(features, classes, seed=3, trees=20).predict(features)
    assert np.abs(ours - library.predict_proba(features)).max() < 1e-4


def test_a_class_without_samples_gets_no_probability() -> None:
    classes = np.random.default_rng(0).integers(0, 2, 300)
    probability = fit_pixel_classifier(clouds(classes), classes, seed=0, trees=10).predict(clouds(classes))
    assert probability[:, 2].max() == 0.0
    assert np.abs(probability.sum(-1) - 1).max() < 1e-5


def test_features_of_every_second_pixel_are_those_of_all_pixels() -> None:
    rng = np.random.default_rng(2)
    picture = rng.integers(0, 255, (31, 40, 3), dtype=np.uint8)
    hands, maps = (HandRegion("right", rng.uniform(5, 30, (21, 2)), 8.0),), (rng.random((31, 40), np.float32),)
    everywhere = pixel_features(picture, hands, 3, 5, maps)
    assert (pixel_features(picture, hands, 3, 5, maps, step=2) == everywhere[::2, ::2]).all()
    assert everywhere.std((0, 1)).min() > 0
