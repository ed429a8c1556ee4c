"""Run folders as fits leave them, made with the same writers in a fraction of a second; as a program, one that is killed in the middle.

The result is the one made by hand in tests/result: nothing is fitted.
"""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np

sys.path.append(str(Path(__file__).resolve().parent / "result"))

from handmade_result import capsule_hand, handmade_result

from hoifield.clip.clip import Clip
from hoifield.clip.open_clip import open_clip
from hoifield.errors import Interrupted, RefusedInput
from hoifield.geometry.mesh import Mesh
from hoifield.report.overlay_video import write_overlay
from hoifield.result.result_folder import write_refusal, write_result
from hoifield.result.scene_glb import write_scene_glb
from hoifield.runlog.metrics_log import MetricsLog
from hoifield.runlog.run_folder import RunFolder
from hoifield.runlog.run_standing import stage_picture_name
from hoifield.storage import commit_directory

CLIP_FRAMES = 14
STAGES = ("coarse", "final")
STAGE_STEPS = 10
KILLED_AT = 13


def make_grey_clip(path: Path) -> Clip:
    """14 grey frames of 320 x 240, two more than the handmade result has."""
    texture = np.random.default_rng(0).integers(110, 130, (240, 320, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for frame in range(CLIP_FRAMES):
            picture = av.VideoFrame.from_ndarray(np.roll(texture, 3 * frame, axis=1), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return open_clip(path)


def open_run(folder: Path, clip: str = "a" * 64, preset: str = "draft", seed: int = 0) -> RunFolder:
    """A run folder of that identity."""
    return RunFolder.open(folder, {"clip": clip, "observe": {"hand": "auto"}, "preset": preset, "seed": seed})


def log_steps(run: RunFolder, first: int, end: int, scale: float = 1.0) -> None:
    """Metrics of the steps [first, end), and the picture of a stage that ends among them."""
    log = MetricsLog(run.path / "metrics.jsonl")
    (run.path / "pictures").mkdir(exist_ok=True)
    for step in range(first, end):
        stage = STAGES[step // STAGE_STEPS]
        log.scalars(step, {f"{stage}/total": scale / (1 + step), f"{stage}/colour": scale * 0.5 / (1 + step % STAGE_STEPS)})
        if (step + 1) % STAGE_STEPS == 0:
            cv2.imwrite(str(run.path / "pictures" / stage_picture_name(stage, step)), np.full((24, 36, 3), 40 + step, np.uint8))


def record_finished_run(
    folder: Path, clip: Clip, status: Literal["ok", "degraded"] = "ok", preset: str = "draft", seed: int = 0, scale: float = 1.0, wide: float = 1.0
) -> None:
    """A whole run; `scale` of its losses, `wide` stretches its object and moves its figures."""
    result = handmade_result()
    mesh = Mesh(result.object_mesh.vertices * [wide, 1.0, 1.0], result.object_mesh.faces, result.object_mesh.colours)
    quality = {**result.summary["quality"], "psnr_db": 20.0 + 5.0 * wide, "penetration_mean_mm": wide}
    described = {"clip": {**result.summary["clip"], "name": clip.name, "frames": CLIP_FRAMES, "sha256": clip.sha256}, "quality": quality}
    summary = {**result.summary, **described, "status": status, "preset": preset, "seed": seed}
    result = replace(result, object_mesh=mesh, summary=summary if status == "degraded" else {**summary, "reasons": []})

    def write(target: Path) -> None:
        write_result(target, result)
        write_scene_glb(target / "scene.glb", result, {"right": capsule_hand()})
        write_overlay(target / "overlay.mp4", clip, result)

    with open_run(folder, clip.sha256, preset, seed) as run:
        run.journal({"event": "clip", "path": f"/somewhere/{clip.name}.mp4"})
        log_steps(run, 0, len(STAGES) * STAGE_STEPS, scale)
        commit_directory(folder / "result", write)


def record_refused_run(folder: Path) -> None:
    """A clip that was not fitted."""
    nothing = dict.fromkeys(handmade_result().summary["quality"])
    reason = {"code": "HF-RDY-001", "message": "no hand was found in 14 frames", "frames": []}
    summary = {**handmade_result().summary, "status": "refused", "reasons": [reason], "quality": nothing}
    with open_run(folder):
        commit_directory(folder / "result", lambda target: write_refusal(target, summary))


def record_failed_run(folder: Path, stopped: bool = False) -> None:
    """A fit that an error ended after 5 steps; or one that was stopped by a signal."""
    kind = Interrupted if stopped else RefusedInput
    try:
        with open_run(folder) as run:
            log_steps(run, 0, 5)
            raise kind("HF-FIT-004" if stopped else "HF-RES-013", f"the field in '{folder}/ckpt' holds no surface", "label the object")
    except kind:
        return


if __name__ == "__main__":
    with open_run(Path(sys.argv[1])) as opened:
        log_steps(opened, 0, KILLED_AT)
        with (opened.path / "metrics.jsonl").open("ab") as stream:
            stream.write(b'{"step":13,"na')
        os.kill(os.getpid(), signal.SIGKILL)
