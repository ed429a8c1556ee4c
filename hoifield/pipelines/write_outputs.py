"""Result, scene, overlay and report of a run, each complete or absent."""

from pathlib import Path
from typing import Any

from hoifield.actors.skinned_model import Side, SkinnedModel
from hoifield.clip.clip import Clip
from hoifield.clip.open_clip import open_clip
from hoifield.observations.observations import Observations
from hoifield.observations.observations_folder import load_observations
from hoifield.report.html_report import render_report
from hoifield.report.overlay_video import write_overlay
from hoifield.report.report_content import ReportContent, collect_content
from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import write_refusal, write_result
from hoifield.result.scene_glb import write_scene_glb
from hoifield.runlog.run_folder import RunFolder, read_journal, read_run_record
from hoifield.storage import commit_directory, write_file


def write_run_outputs(run: RunFolder, clip: Clip, result: FitResult, observations: Observations, actors: dict[Side, SkinnedModel]) -> None:
    """`result/` (summary, mesh, poses, animated scene, overlay video), then `report/`."""

    def write(folder: Path) -> None:
        write_result(folder, result)
        write_scene_glb(folder / "scene.glb", result, {hand.side: actors[hand.side] for hand in result.hands})
        write_overlay(folder / "overlay.mp4", clip, result)

    commit_directory(run.path / "result", write)
    run.journal({"event": "result", "status": result.summary["status"]})
    _write_report(run, clip, observations)


def write_refused_outputs(run: RunFolder, clip: Clip, observations: Observations, summary: dict[str, Any]) -> None:
    """`result/` with the summary alone, then `report/`."""
    commit_directory(run.path / "result", lambda folder: write_refusal(folder, summary))
    run.journal({"event": "result", "status": "refused"})
    _write_report(run, clip, observations)


def _write_report(run: RunFolder, clip: Clip, observations: Observations) -> None:
    content = collect_content(run.path, clip, observations.masks, observations.readiness)
    _commit_report(run.path, content)


def rewrite_report(run_path: Path) -> Path:
    """The report of a finished run made again; with pictures of the frames where the clip still lies where it lay."""
    observed = sorted((run_path / "stages" / "observe").glob("*"))
    observations = load_observations(observed[-1]) if observed else None
    clip = find_clip(run_path)
    masks = observations.masks if observations is not None else None
    content = collect_content(run_path, clip, masks, observations.readiness if observations is not None else None)
    _commit_report(run_path, content)
    return run_path / "report" / "report.html"


def find_clip(run_path: Path) -> Clip | None:
    """The clip of a run, if the file that the journal names is still there with the same content."""
    places = [str(event["path"]) for event in read_journal(run_path) if event.get("event") == "clip"]
    if not places or not Path(places[-1]).exists():
        return None
    clip = open_clip(Path(places[-1]))
    return clip if clip.sha256 == read_run_record(run_path)["identity"]["clip"] else None


def _commit_report(run_path: Path, content: ReportContent) -> None:
    page = render_report(content).encode("utf-8")
    commit_directory(run_path / "report", lambda folder: write_file(folder / "report.html", page))
