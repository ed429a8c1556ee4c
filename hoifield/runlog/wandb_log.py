"""wandb as a sink: a wandb run is built from a run folder, whatever became of the run, offline unless asked otherwise.

The only file that imports wandb. metrics.jsonl, the journal and result/ are the record; nothing is read back from wandb, so a dead network
or a killed process loses nothing: the same call builds the same run again.
"""

import math
import os
import re
import socket
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hoifield.errors import ConfigurationError, InputOutputFailure, MissingDependency, MissingInput
from hoifield.runlog.metrics_log import read_metrics
from hoifield.runlog.run_standing import RunStanding, find_stage_pictures, read_standing
from hoifield.storage import discard_folder

if TYPE_CHECKING:
    import wandb

TrackMode = Literal["offline", "online"]
SUMMARY_NUMBERS = {
    "quality": ("mask_iou_hand", "mask_iou_object", "psnr_db", "penetration_mean_mm", "contact_fraction"),
    "confidence": ("object_shape", "object_pose", "hand_pose"),
    "seconds": ("observe", "fit", "total"),
    "object": ("faces", "watertight"),
}
"""Entries of result.json that every wandb run has in its summary; null where a run has none."""
STEP_KEY, OVERLAY_KEY, SCENE_KEY = "step", "result/overlay", "result/scene"
START_SECONDS, UPLOAD_SECONDS = 30.0, 900.0
_PROBE_SECONDS = 3.0
_DEFAULT_SERVER = "https://api.wandb.ai"
_LONGEST_TEXT = 500
_FOLDERS = re.compile(r"(?<![\w.])(?:~|[A-Za-z]:)?[/\\](?:[^/\\\s'\"]+[/\\])+")


def require_wandb() -> None:
    """Raises MissingDependency HF-RUN-009 without wandb."""
    import_wandb()


def sync_run(run_folder: Path, mode: TrackMode | None = None) -> TrackMode:
    """Builds the wandb run of a run folder anew and says where it went: "offline" (into RUN/wandb) or "online".

    It takes the place of an earlier one: offline, an earlier folder is removed first; online, the run with this id begins afresh. `mode`
    None takes WANDB_MODE, else online where WANDB_API_KEY is set, else offline; online is tried only if the server answers within three
    seconds. WANDB_PROJECT and WANDB_RUN_GROUP are followed. Values that are not finite are left out.

    Raises MissingInput HF-RUN-007 for a folder without a run, MissingDependency HF-RUN-009 without wandb, ConfigurationError HF-RUN-010
    for another WANDB_MODE, InputOutputFailure HF-RUN-016 where the server or the disk does not take the run.
    """
    standing = read_standing(run_folder)
    if standing.status == "absent":
        raise MissingInput("HF-RUN-007", f"{str(run_folder)!r} holds no run to send", "run hoifield fit first")
    chosen = choose_mode(mode)
    wandb = import_wandb()
    for earlier in (run_folder / "wandb").glob(f"offline-run-*-{standing.run_id}"):
        discard_folder(earlier)
    try:
        _write(run_folder, standing, chosen)
    except (wandb.Error, OSError) as error:
        cause = f"wandb did not take the run, {chosen}: {one_line(str(error))}"
        raise InputOutputFailure("HF-RUN-016", cause, "nothing is lost: see to the network, the disk or `wandb login`, then hoifield track sync RUN") from error
    finally:
        # Until its service has ended, the file in RUN/wandb may lack its last lines.
        wandb.teardown()
    return chosen


def choose_mode(mode: TrackMode | None) -> TrackMode:
    """ "online" only where asked for (by the argument, else by WANDB_MODE, else by a key) and where the server answers."""
    asked = mode or os.environ.get("WANDB_MODE") or ("online" if os.environ.get("WANDB_API_KEY") else "offline")
    if asked not in ("offline", "online"):
        raise ConfigurationError("HF-RUN-010", f"WANDB_MODE is {asked!r}", "set it to offline or online, or unset it")
    return "online" if asked == "online" and server_answers() else "offline"


def summarise(standing: RunStanding) -> dict[str, str | int | float | bool | None]:
    """The summary of any run, with the same keys for all: status, reasons in codes and in words, and `SUMMARY_NUMBERS`."""
    found = standing.summary or {}
    numbers = {f"{part}/{name}": (found.get(part) or {}).get(name) for part, names in SUMMARY_NUMBERS.items() for name in names}
    codes = " ".join(str(reason["code"]) for reason in standing.reasons)
    messages = "; ".join(_without_folders(str(reason["message"])) for reason in standing.reasons)
    return {"status": standing.status, "reasons/codes": codes, "reasons/messages": messages, **numbers}


def summary_keys() -> tuple[str, ...]:
    """The keys that `summarise` gives, for any run."""
    return tuple(summarise(RunStanding("", "absent", (), {}, "", {}, None)))


def picture_key(stage: str) -> str:
    """Under which the picture of a stage's end is logged."""
    return f"pictures/{stage}"


def name_project() -> str:
    """The project that runs are filed under: WANDB_PROJECT, else hoifield."""
    return os.environ.get("WANDB_PROJECT") or "hoifield"


def describe_config(standing: RunStanding) -> dict[str, str | int | float | bool | None]:
    """The options, versions and clip of a run as wandb's config."""
    clip = {f"clip/{name}": value for name, value in standing.clip.items()}
    config = {name: value for name, value in standing.config.items() if name != "clip"} | clip
    return {name: _without_folders(value)[:_LONGEST_TEXT] if isinstance(value, str) else value for name, value in config.items()}


def gather_rows(run_folder: Path) -> dict[int, dict[str, Any]]:
    """Step -> what is logged with it, by step: metrics, and the path of the picture of a stage that ended there."""
    rows: dict[int, dict[str, Any]] = {}
    for metric in read_metrics(run_folder / "metrics.jsonl"):
        if math.isfinite(metric.value):
            rows.setdefault(metric.step, {})[metric.name] = metric.value
    for step, stage, path in find_stage_pictures(run_folder):
        rows.setdefault(step, {})[picture_key(stage)] = path
    return dict(sorted(rows.items()))


def server_answers() -> bool:
    """Whether the wandb server accepts a connection within three seconds."""
    server = urllib.parse.urlsplit(os.environ.get("WANDB_BASE_URL", _DEFAULT_SERVER))
    try:
        port = server.port or (80 if server.scheme == "http" else 443)
        with socket.create_connection((server.hostname or "", port), timeout=_PROBE_SECONDS):
            return True
    except (OSError, ValueError):
        return False


def import_wandb() -> Any:
    """The package; its reports of its own crashes, which it would send offline too, are off unless the user turned them on.

    Raises MissingDependency HF-RUN-009 without it.
    """
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    try:
        import wandb
    except ImportError as error:
        raise MissingDependency("HF-RUN-009", "wandb is not installed", "pip install 'hoifield[wandb]', or use --track off") from error
    return wandb


def wandb_failures() -> tuple[type[Exception], ...]:
    """What wandb raises where the network or a server does not do what it is asked for, or an address or answer cannot be read."""
    wandb = import_wandb()
    # Its calls of the server fail with a class of their own, which is no wandb.Error.
    from wandb.sdk.lib.service.service_connection import WandbApiFailedError

    return (wandb.Error, WandbApiFailedError, OSError, ValueError)


def one_line(text: str) -> str:
    """The text without line breaks, its first 200 characters."""
    return " ".join(text.split())[:200]


def _write(run_folder: Path, standing: RunStanding, mode: TrackMode) -> None:
    """Starts, fills and finishes the wandb run."""
    wandb = import_wandb()
    rows = gather_rows(run_folder)
    run = _start(run_folder, standing, mode)
    try:
        run.define_metric(STEP_KEY)
        run.define_metric("*", step_metric=STEP_KEY)
        for name in {name for row in rows.values() for name, value in row.items() if isinstance(value, float)}:
            # Every curve of a fit is a loss: its least and its last value are what runs are compared by.
            run.define_metric(name, step_metric=STEP_KEY, summary="min,last")
        media = dict(_final_media(run_folder / "result"))
        for step in rows or ([0] if media else []):
            shown = {name: wandb.Image(str(value)) if isinstance(value, Path) else value for name, value in rows.get(step, {}).items()}
            run.log({STEP_KEY: step, **shown, **(media if step == max(rows, default=0) else {})})
        run.summary.update(summarise(standing))
    finally:
        run.finish(exit_code=0 if standing.status in ("ok", "degraded", "running") else 1)


def _final_media(result: Path) -> Iterator[tuple[str, Any]]:
    """The overlay video and the animated scene, where they are."""
    wandb = import_wandb()
    if (result / "overlay.mp4").is_file():
        yield OVERLAY_KEY, wandb.Video(str(result / "overlay.mp4"), format="mp4")
    if (result / "scene.glb").is_file():
        yield SCENE_KEY, wandb.Object3D(str(result / "scene.glb"))


def _start(run_folder: Path, standing: RunStanding, mode: TrackMode) -> "wandb.Run":
    """A started wandb run, without system statistics, console capture, code, host name or paths."""
    wandb = import_wandb()
    found = standing.summary or {}
    tags = [standing.status, str(found.get("preset") or standing.config.get("preset") or ""), str(found.get("device") or "")]
    return wandb.init(
        project=name_project(),
        group=os.environ.get("WANDB_RUN_GROUP") or f"clip-{str(standing.clip['sha256'])[:12]}",
        job_type="fit",
        id=standing.run_id,
        name=standing.name[:100],
        tags=[tag for tag in tags if tag],
        config=describe_config(standing),
        dir=str(run_folder.resolve()),
        mode=mode,
        settings=wandb.Settings(
            silent=True,
            console="off",
            save_code=False,
            disable_git=True,
            host="not recorded",
            init_timeout=START_SECONDS,
            finish_timeout=UPLOAD_SECONDS,
            finish_timeout_raises=True,
            x_disable_stats=True,
            x_disable_meta=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
        ),
    )


def _without_folders(text: str) -> str:
    """The text with the names of files, not where they lie."""
    return _FOLDERS.sub("", text)
