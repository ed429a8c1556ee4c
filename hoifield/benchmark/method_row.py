"""What one method came to on one clip: one line of the table, kept in a file of its own."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from hoifield.benchmark.anchors import ANCHOR_NAMES, AnchorName
from hoifield.storage import write_file

MethodName = Literal["fit"] | AnchorName
METHOD_NAMES: tuple[MethodName, ...] = ("fit", *ANCHOR_NAMES)
EXACT_ANCHORS: tuple[MethodName, ...] = ("hull_true_poses", "field_true_poses")
"""Their poses and hands are the truth's: only their shape is scored."""
Status = Literal["ok", "degraded", "refused", "error"]
SHAPE_RULE = "f10_icp_pct"
FAILURE_RULES = {
    "f10_icp_pct": (80.0, "least"),
    "frames_placed_pct": (60.0, "least"),
    "cd_hand_cm2": (20.0, "most"),
    "mpjpe_ra_mm": (20.0, "most"),
}
"""A result is of no use where one of these is missed."""


@dataclass(frozen=True)
class MethodRow:
    """A method's outcome on one clip."""

    clip: str
    method: MethodName
    status: Status
    """Of the fit, as it says itself; anchors are ok, or say with an error's code why they could not be solved."""
    codes: tuple[str, ...]
    """Codes of the reasons, or of the error."""
    seconds: float
    """Spent by the method alone: the observing is in the fit's, and anchors that reuse it are told without."""
    scores: dict[str, float]
    """By name of docs/scores.md; empty without a result. Scores that could not be measured are left out."""
    confidence: dict[str, float]
    """Of the whole clip, as result.json gives it; empty for anchors."""

    @property
    def missed(self) -> tuple[str, ...]:
        """Names of the failure rules that the result misses; "no result" without one."""
        if not self.scores:
            return ("no result",)
        rules = {name: rule for name, rule in FAILURE_RULES.items() if self.method not in EXACT_ANCHORS or name == SHAPE_RULE}
        return tuple(name for name, (limit, kind) in rules.items() if _misses(self.scores.get(name, math.nan), limit, kind))

    @property
    def failure(self) -> Literal["none", "declared", "undeclared"]:
        """Whether the result is of no use, and whether the method said so itself."""
        if not self.missed:
            return "none"
        return "undeclared" if self.status == "ok" else "declared"


def _misses(value: float, limit: float, kind: str) -> bool:
    return not (value >= limit if kind == "least" else value <= limit)


def write_row(path: Path, row: MethodRow) -> None:
    """The row as JSON, whole or absent."""
    write_file(path, json.dumps(asdict(row), indent=1, allow_nan=False).encode())


def read_row(path: Path) -> MethodRow | None:
    """The row that `write_row` wrote; None where there is none, or a damaged one, which is then made again."""
    if not path.is_file():
        return None
    try:
        plain: dict[str, Any] = json.loads(path.read_bytes())
        return MethodRow(**{**plain, "codes": tuple(plain["codes"])})
    except (ValueError, TypeError, KeyError):
        return None
