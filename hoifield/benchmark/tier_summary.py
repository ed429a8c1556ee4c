"""Statistics over a tier: each method's scores and failures, the fit's ratio to each anchor, and whether its confidence means something."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hoifield.benchmark.anchors import ANCHOR_NAMES, AnchorName
from hoifield.benchmark.method_row import METHOD_NAMES, MethodName, MethodRow
from hoifield.evaluation.calibration import Calibration, measure_calibration

SHOWN_SCORES = (
    "f5_icp_pct", "f10_icp_pct", "cd_icp_cm2", "f5_seen_pct", "cd_seen_cm2", "cd_unseen_cm2", "pose_rot_deg", "pose_trans_mm", "mpjpe_ra_mm",
    "cd_hand_cm2", "penetration_cm3", "contact_f1", "mask_iou_object", "mask_iou_hand", "frames_placed_pct", "jerk_object_m_s3",
)  # fmt: skip
"""In the order of the tables. All other scores stand in the rows' files."""


@dataclass(frozen=True)
class ScoreSpread:
    """One score of one method over the clips that have it."""

    count: int
    mean: float
    median: float
    worse_tenth: float
    """The 90th percentile of errors, the 10th of agreements."""


@dataclass(frozen=True)
class MethodSummary:
    """One method over the tier."""

    method: MethodName
    clips: int
    results: int
    declared: int
    """Clips without a useful result of which the method said so itself."""
    undeclared: int
    """Clips without a useful result that the method called ok."""
    false_alarms: int
    """Useful results that the method called degraded."""
    median_seconds: float
    scores: dict[str, ScoreSpread]


@dataclass(frozen=True)
class TierSummary:
    """The whole table."""

    methods: tuple[MethodSummary, ...]
    ratios: dict[AnchorName, dict[str, float]]
    """Median over clips of the fit's value over the anchor's, by score, where both have one and the anchor's is not 0."""
    shape_confidence: Calibration
    """The fit's confidence in the object's shape, against `f10_icp_pct` of 80 and more."""


def summarise_tier(rows: Sequence[MethodRow]) -> TierSummary:
    """The statistics of the rows."""
    methods = tuple(_summarise_method(method, own) for method in METHOD_NAMES if (own := [row for row in rows if row.method == method]))
    fits = {row.clip: row for row in rows if row.method == "fit"}
    ratios = {anchor: _ratios(fits, [row for row in rows if row.method == anchor]) for anchor in ANCHOR_NAMES}
    outcomes = [(row.confidence.get("object_shape", 0.0), row.scores.get("f10_icp_pct", 0.0) < 80.0) for row in fits.values()]
    return TierSummary(methods, {anchor: found for anchor, found in ratios.items() if found}, measure_calibration(outcomes))


def _summarise_method(method: MethodName, rows: Sequence[MethodRow]) -> MethodSummary:
    spreads = {}
    for name in SHOWN_SCORES:
        values = np.array([row.scores[name] for row in rows if name in row.scores])
        if len(values):
            worse = 10 if name.endswith("_pct") or name.startswith(("contact", "mask_iou")) else 90
            spreads[name] = ScoreSpread(len(values), float(values.mean()), float(np.median(values)), float(np.percentile(values, worse)))
    failures = [row.failure for row in rows]
    return MethodSummary(
        method=method,
        clips=len(rows),
        results=sum(bool(row.scores) for row in rows),
        declared=failures.count("declared"),
        undeclared=failures.count("undeclared"),
        false_alarms=sum(row.failure == "none" and row.status == "degraded" for row in rows),
        median_seconds=float(np.median([row.seconds for row in rows])),
        scores=spreads,
    )


def _ratios(fits: dict[str, MethodRow], rows: Sequence[MethodRow]) -> dict[str, float]:
    found = {}
    for name in SHOWN_SCORES:
        pairs = [(fits[row.clip].scores.get(name), row.scores.get(name)) for row in rows if row.clip in fits]
        both = [mine / other for mine, other in pairs if mine is not None and other]
        if both:
            found[name] = float(np.median(both))
    return found


def summary_as_json(rows: Sequence[MethodRow], summary: TierSummary, mark: dict[str, Any]) -> dict[str, Any]:
    """Everything as plain values: the folder's mark, the rows with the shown scores, the statistics."""
    clips = [
        {
            "clip": row.clip, "method": row.method, "status": row.status, "failure": row.failure, "missed": list(row.missed), "codes": list(row.codes),
            "seconds": round(row.seconds, 1), "confidence": row.confidence, "scores": {name: row.scores[name] for name in SHOWN_SCORES if name in row.scores},
        }
        for row in rows
    ]  # fmt: skip
    methods = [{**entry.__dict__, "scores": {name: spread.__dict__ for name, spread in entry.scores.items()}} for entry in summary.methods]
    return {**mark, "rows": clips, "methods": methods, "ratios": summary.ratios, "shape_confidence": summary.shape_confidence.as_json()}
