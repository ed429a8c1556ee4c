"""The figures of a result in words and units; imports nothing, so that a page of thousands of results is quick to write."""

import math

QUALITY = (
    ("mask_iou_hand", "hand silhouette overlap (IoU)", "%", 100.0, 1),
    ("mask_iou_object", "object silhouette overlap (IoU)", "%", 100.0, 1),
    ("psnr_db", "picture agreement (PSNR)", "dB", 1.0, 1),
    ("penetration_mean_mm", "deepest hand point in the object, mean over frames", "mm", 1.0, 2),
    ("contact_fraction", "frames in contact", "%", 100.0, 0),
)
"""Key in result.json, words, unit, factor from the stored value, decimals."""
CONFIDENCE_NAMES = {"object_shape": "object shape", "object_pose": "object poses", "hand_pose": "hand poses"}
LARGER_IS_BETTER = {
    "mask_iou_hand": True,
    "mask_iou_object": True,
    "psnr_db": True,
    "penetration_mean_mm": False,
    "object_shape": True,
    "object_pose": True,
    "hand_pose": True,
    "observe": False,
    "fit": False,
    "total": False,
}
"""Of quality, confidence and seconds; a figure that is not named is neither good nor bad (a hand need not touch in every frame)."""


def scaled(value: object, factor: float) -> float | None:
    """The value times the factor; None where it is not a number."""
    return float(value) * factor if isinstance(value, (int, float)) and math.isfinite(value) else None
