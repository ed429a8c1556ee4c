"""What the comparison needs of one run, gathered from its folder, whatever became of the run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoifield.errors import HoifieldError
from hoifield.report.charts import Curve, curves_from_metrics
from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import read_result, read_summary
from hoifield.runlog.metrics_log import read_metrics
from hoifield.runlog.run_standing import read_standing


@dataclass(frozen=True)
class ComparedRun:
    """What the page shows of one run."""

    name: str
    status: str
    """As `RunStanding.status`, or unreadable."""
    reasons: tuple[dict[str, Any], ...] = ()
    clip: str = ""
    """Name of the clip; empty where it is not known."""
    clip_sha256: str = ""
    config: dict[str, object] | None = None
    """Flat options; None where they are not known."""
    summary: dict[str, Any] | None = None
    """The checked content of result.json; None where there is none."""
    result: FitResult | None = None
    """None for a run without a fit."""
    curves: tuple[Curve, ...] = ()
    overlay: Path | None = None


def load_runs(folders: Sequence[Path]) -> tuple[ComparedRun, ...]:
    """The runs under names that differ."""
    return tuple(load_run(folder, name) for folder, name in zip(folders, tell_apart(folders)))


def load_run(folder: Path, name: str) -> ComparedRun:
    """One run; one that cannot be read says why."""
    metrics, overlay = folder / "metrics.jsonl", folder / "result" / "overlay.mp4"
    try:
        standing = read_standing(folder)
        curves = curves_from_metrics(read_metrics(metrics)) if metrics.exists() else ()
        expects_result = standing.status == "absent" or (folder / "result" / "result.json").exists()
        summary = read_summary(folder / "result") if expects_result else None
        result = read_result(folder / "result") if summary is not None and summary["status"] != "refused" else None
    except HoifieldError as error:
        return ComparedRun(name, "unreadable", ({"code": error.code, "message": error.cause, "frames": []},))
    return ComparedRun(
        name,
        standing.status,
        standing.reasons,
        str(standing.clip["name"]),
        str(standing.clip["sha256"]),
        dict(standing.config) if standing.run_id else None,
        summary,
        result,
        curves,
        overlay if overlay.is_file() else None,
    )


def tell_apart(folders: Sequence[Path]) -> list[str]:
    """Names of the folders: the last parts of their paths, as many as tell them apart (folders named twice stay the same)."""
    parts = [folder.resolve().parts for folder in folders]
    count = 1
    while len({part[-count:] for part in parts}) < len(set(parts)) and count < max(len(part) for part in parts):
        count += 1
    return ["/".join(part[-count:]).replace("//", "/") for part in parts]
