"""wandb as a sink: a run is built from run.json and metrics.jsonl, offline unless asked otherwise. The only file that imports wandb."""

import math
import os
import socket
import urllib.parse
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hoifield.errors import ConfigurationError, MissingDependency, MissingInput
from hoifield.runlog.metrics_log import Metric, read_metrics
from hoifield.runlog.run_folder import read_run_record

if TYPE_CHECKING:
    import wandb

TrackMode = Literal["offline", "online"]
_PROBE_SECONDS = 3.0
_DEFAULT_SERVER = "https://api.wandb.ai"
_LONGEST_CONFIG_TEXT = 500


def sync_metrics(run_folder: Path, mode: TrackMode | None = None) -> TrackMode:
    """Builds one clean wandb run from a run folder and says where it went: "offline" (into RUN/wandb) or "online".

    `mode` None takes WANDB_MODE, and offline where that is not set. Online is tried only if the server answers within three
    seconds; otherwise the run is written offline. The wandb run has the run folder's id, so a second upload replaces the first.
    Values that are not finite are left out. Raises MissingInput HF-RUN-007 without metrics, MissingDependency HF-RUN-009 without
    wandb, ConfigurationError HF-RUN-010 for another WANDB_MODE.
    """
    record = read_run_record(run_folder)
    metrics = [metric for metric in read_metrics(run_folder / "metrics.jsonl") if math.isfinite(metric.value)]
    if not metrics:
        raise MissingInput("HF-RUN-007", f"{str(run_folder)!r} has no metrics to send", "run hoifield fit first")
    chosen = choose_mode(mode)
    run = _start(run_folder, record, chosen)
    try:
        for step, group in groupby(metrics, key=lambda metric: metric.step):
            run.log({"step": step, **{metric.name: metric.value for metric in group}})
        run.summary.update(summarise(metrics))
    finally:
        run.finish()
    return chosen


def choose_mode(mode: TrackMode | None) -> TrackMode:
    """ "online" only where asked for (by the argument, else by WANDB_MODE) and where the server answers within three seconds."""
    asked = mode or os.environ.get("WANDB_MODE") or "offline"
    if asked not in ("offline", "online"):
        raise ConfigurationError("HF-RUN-010", f"WANDB_MODE is {asked!r}", "set it to offline or online, or unset it")
    return "online" if asked == "online" and _server_answers() else "offline"


def summarise(metrics: list[Metric]) -> dict[str, float]:
    """The last value of every metric by name."""
    return {metric.name: metric.value for metric in metrics}


def flatten_identity(identity: dict[str, Any], prefix: str = "") -> dict[str, str | int | float | bool | None]:
    """The identity as flat wandb config keys joined by '/', without dots; long texts are cut, lists become text."""
    flat: dict[str, str | int | float | bool | None] = {}
    for key, value in identity.items():
        name = f"{prefix}{key}".replace(".", "_")
        if isinstance(value, dict):
            flat.update(flatten_identity(value, f"{name}/"))
        elif isinstance(value, int | float | bool) or value is None:
            flat[name] = value
        else:
            flat[name] = str(value)[:_LONGEST_CONFIG_TEXT]
    return flat


def _start(run_folder: Path, record: dict[str, Any], mode: TrackMode) -> "wandb.Run":
    """A started wandb run with the step axis defined, without system statistics, console capture, code, host name or paths."""
    try:
        import wandb
    except ImportError as error:
        raise MissingDependency("HF-RUN-009", "wandb is not installed", "pip install wandb, or use --track off") from error
    identity = record["identity"]
    run = wandb.init(
        project="hoifield",
        id=record["run_id"],
        name=str(identity.get("clip") or run_folder.resolve().name)[:100],
        job_type="fit",
        config=flatten_identity({**identity, "versions": record.get("versions", {})}),
        dir=str(run_folder.resolve()),
        mode=mode,
        resume="allow" if mode == "online" else None,
        settings=wandb.Settings(
            silent=True,
            console="off",
            save_code=False,
            disable_git=True,
            host="not recorded",
            x_disable_stats=True,
            x_disable_meta=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
        ),
    )
    run.define_metric("step")
    run.define_metric("*", step_metric="step")
    return run


def _server_answers() -> bool:
    """Whether the wandb server accepts a connection within three seconds."""
    server = urllib.parse.urlsplit(os.environ.get("WANDB_BASE_URL", _DEFAULT_SERVER))
    try:
        port = server.port or (80 if server.scheme == "http" else 443)
        with socket.create_connection((server.hostname or "", port), timeout=_PROBE_SECONDS):
            return True
    except (OSError, ValueError):
        return False
