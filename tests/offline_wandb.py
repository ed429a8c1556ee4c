"""The offline wandb run of a run folder, as wandb's own reader (`wandb leet inspect`) tells it."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class OfflineRun:
    """The records of one .wandb file."""

    run: dict[str, Any]
    """Project, group, names, tags."""
    config: dict[str, Any]
    history: list[dict[str, Any]]
    """Rows in order; the parts of media under `name.part`."""
    summary: dict[str, Any]
    """All records of the summary over each other, nulls included."""
    exit_code: int
    content: bytes

    def steps(self) -> list[int]:
        """The steps in the order of the rows."""
        return [row["step"] for row in self.history]


def read_offline_run(folder: Path) -> OfflineRun:
    """Raises ValueError unless the run folder holds exactly one offline run, finished."""
    (written,) = (folder / "wandb").glob("offline-run-*/run-*.wandb")
    words = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(written)]
    lines = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    records = [json.loads(line) for line in lines]
    (run,) = (record["run"] for record in records if record["type"] == "run")
    (ending,) = (record["exit"] for record in records if record["type"] == "exit")
    history = [record["history"]["item"] for record in records if record["type"] == "history"]
    summary: dict[str, Any] = {}
    for record in records:
        if record["type"] == "summary":
            summary.update(record["summary"]["update"])
    return OfflineRun(run, run["config"]["update"], history, summary, ending["exit_code"], written.read_bytes())
