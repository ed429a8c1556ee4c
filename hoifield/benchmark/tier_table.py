"""The benchmark as text: a line for each clip, then the methods beside each other."""

from collections.abc import Sequence

from hoifield.benchmark.method_row import MethodRow
from hoifield.benchmark.tier_summary import SHOWN_SCORES, TierSummary

CLIP_SCORES = ("f5_icp_pct", "f10_icp_pct", "cd_icp_cm2", "f5_seen_pct", "pose_rot_deg", "mpjpe_ra_mm", "cd_hand_cm2", "mask_iou_object")


def write_table(rows: Sequence[MethodRow], summary: TierSummary) -> str:
    """The fit on every clip; every method's mean, median and worse tenth; ratios to the anchors; failures declared and not."""
    return "\n".join([*_clip_lines(rows), "", *_method_lines(summary), "", *_ratio_lines(summary), "", *_failure_lines(summary)])


def _clip_lines(rows: Sequence[MethodRow]) -> list[str]:
    lines = [f"{'clip':26s} {'status':9s} {'failure':10s} " + " ".join(f"{name:>15s}" for name in CLIP_SCORES) + f" {'seconds':>8s}  reasons"]
    for row in (row for row in rows if row.method == "fit"):
        values = " ".join(f"{_number(row.scores.get(name)):>15s}" for name in CLIP_SCORES)
        lines.append(f"{row.clip:26s} {row.status:9s} {row.failure:10s} {values} {row.seconds:8.0f}  {' '.join(row.codes)}")
    return lines


def _method_lines(summary: TierSummary) -> list[str]:
    lines = [f"{'mean / median / worse 10 %':26s}" + "".join(f"{entry.method:>26s}" for entry in summary.methods)]
    for name in SHOWN_SCORES:
        spreads = [entry.scores.get(name) for entry in summary.methods]
        cells = [" / ".join(map(_number, (s.mean, s.median, s.worse_tenth))) if s is not None else "-" for s in spreads]
        lines.append(f"{name:26s}" + "".join(f"{cell:>26s}" for cell in cells))
    return lines


def _ratio_lines(summary: TierSummary) -> list[str]:
    lines = [f"{'fit / anchor, median':26s}" + "".join(f"{anchor:>20s}" for anchor in summary.ratios)]
    for name in SHOWN_SCORES:
        if any(name in found for found in summary.ratios.values()):
            lines.append(f"{name:26s}" + "".join(f"{_number(found.get(name)):>20s}" for found in summary.ratios.values()))
    return lines


def _failure_lines(summary: TierSummary) -> list[str]:
    lines = [f"{'method':20s} {'clips':>6s} {'results':>8s} {'failures declared':>18s} {'undeclared':>11s} {'false alarms':>13s} {'median seconds':>15s}"]
    for entry in summary.methods:
        counts = f"{entry.clips:6d} {entry.results:8d} {entry.declared:18d} {entry.undeclared:11d} {entry.false_alarms:13d}"
        lines.append(f"{entry.method:20s} {counts} {entry.median_seconds:15.0f}")
    trust = summary.shape_confidence
    lines.append(
        f"confidence in the shape: expected calibration error {_number(trust.expected_error)} (floor {_number(trust.expected_error_floor)}), "
        f"AUROC of failure {_number(trust.failure_auroc)}, {trust.failures} of {trust.count} below F10 80"
    )
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.3g}"
