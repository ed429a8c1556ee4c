"""three.js in Chromium plays a scene where poses.npz has it: the experiment's script, on a small generated run."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from handmade_result import capsule_hand, handmade_result

sys.path.append(str(Path(__file__).resolve().parents[1]))

from headless_chromium import require_chromium
from node_packages import VARIABLE, require_node_package

from hoifield.result.result_folder import write_result
from hoifield.result.scene_glb import write_scene_glb

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "experiments" / "09_where_it_is_used" / "play_scene.py"


def play(run: Path, node_modules: Path) -> "subprocess.CompletedProcess[str]":
    """The script on a run folder."""
    environment = {**os.environ, VARIABLE: str(node_modules), "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, str(SCRIPT), str(run)], env=environment, capture_output=True, text=True)


def test_three_shows_object_and_skin_where_the_result_has_them(tmp_path: Path) -> None:
    node_modules = require_node_package("three")
    require_chromium()
    result = handmade_result()
    write_result(tmp_path / "result", result)
    write_scene_glb(tmp_path / "result" / "scene.glb", result, {"right": capsule_hand()})
    finished = play(tmp_path, node_modules)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "0 of them elsewhere" in finished.stdout
    with np.load(tmp_path / "result" / "poses.npz", allow_pickle=False) as file:
        arrays = dict(file)
    arrays["T_camera_object"][7, 0, 3] += 2e-5
    np.savez(tmp_path / "result" / "poses.npz", **arrays)
    assert play(tmp_path, node_modules).returncode == 1, "an object that is 0.02 mm off in one frame would pass"
