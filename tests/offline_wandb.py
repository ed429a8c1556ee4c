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

    def keys(self) -> set[str]:
        """Everything that was logged, under the names that panels and columns have for it."""
        logged = {key for row in self.history for key in row}
        media = {key.removesuffix("._type") for key in logged if key.endswith("._type")}
        return set(self.summary) | media | {key for key in logged if not any(key.startswith(f"{name}.") for name in media)}


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


def find_keys_never_logged(view: dict[str, Any], logged: set[str]) -> list[str]:
    """Keys that the specification of a saved view names, in columns, on axes or in panels, and that are not among those logged."""
    section = view["section"]
    named = [column.removeprefix("summary:") for run_set in section["runSets"] for column in run_set["runFeed"]["columnOrder"]]
    named.append(section["settings"]["xAxis"])
    for part in section["panelBankConfig"]["sections"]:
        named.append(part["localPanelSettings"]["xAxis"])
        for panel in part["panels"]:
            config = panel["config"]
            keys = [*config.get("metrics", []), *config.get("mediaKeys", [])]
            if not keys:
                raise ValueError(f"the panel {config} shows nothing")
            named += [*keys, config.get("xAxis", "step")]
    return sorted(set(named) - logged - {"run:displayName"})
