"""Khronos' validator finds nothing to say about the scenes: no error, no warning, no hint."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from handmade_result import capsule_hand, handmade_result

sys.path.append(str(Path(__file__).resolve().parents[1]))

from node_packages import require_node_package

from hoifield.actors.anny_actor import load_anny_hand
from hoifield.actors.skinned_model import Side, SkinnedModel
from hoifield.result.fit_result import FitResult
from hoifield.result.mesh_files import write_mesh
from hoifield.result.scene_glb import encode_scene

Scene = tuple[FitResult, dict[Side, SkinnedModel]]


def validate(path: Path) -> dict[str, Any]:
    """The validator's report on one file."""
    environment = {**os.environ, "NODE_PATH": str(require_node_package("gltf-validator"))}
    command = ["node", str(Path(__file__).with_name("validate_glb.js")), str(path)]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(finished.stdout)[0]


def right_hand_and_a_gap() -> Scene:
    return handmade_result(), {"right": capsule_hand()}


def left_hand_of_the_built_in_model() -> Scene:
    model = load_anny_hand("left")
    result = handmade_result(model=model)
    return replace(result, hands=(replace(result.hands[0], side="left"),)), {"left": model}


def hand_with_more_joints_a_vertex_than_gltf_has() -> Scene:
    weights = np.random.default_rng(0).dirichlet(np.full(16, 0.3), size=len(capsule_hand().weights))
    model = replace(capsule_hand(), weights=torch.from_numpy(weights))
    return handmade_result(model=model), {"right": model}


def hand_without_its_model() -> Scene:
    return handmade_result(), {}


def no_hands() -> Scene:
    return replace(handmade_result(), hands=()), {}


def one_frame() -> Scene:
    return handmade_result(frames=1, gap=()), {"right": capsule_hand()}


def nothing_placed() -> Scene:
    return replace(handmade_result(gap=tuple(range(12))), hands=()), {}


SCENES = [
    right_hand_and_a_gap, left_hand_of_the_built_in_model, hand_with_more_joints_a_vertex_than_gltf_has, hand_without_its_model, no_hands,
    one_frame, nothing_placed,
]  # fmt: skip


@pytest.mark.parametrize("make", SCENES)
def test_the_validator_has_nothing_to_say_about_a_scene(tmp_path: Path, make: Any) -> None:
    result, models = make()
    (tmp_path / "scene.glb").write_bytes(encode_scene(result, models))
    issues = validate(tmp_path / "scene.glb")["issues"]
    assert issues["messages"] == [] and issues["numErrors"] == 0


def test_the_validator_has_nothing_to_say_about_a_mesh(tmp_path: Path) -> None:
    write_mesh(tmp_path / "object.glb", handmade_result().object_mesh)
    assert validate(tmp_path / "object.glb")["issues"]["messages"] == []


def test_the_validator_sees_a_quaternion_that_is_none(tmp_path: Path) -> None:
    result, models = right_hand_and_a_gap()
    content = encode_scene(result, models)
    broken = np.frombuffer(content, np.uint8).copy()
    start = content.index(b'"rotation":[1.0,') + len(b'"rotation":[')
    broken[start] = ord("7")
    (tmp_path / "scene.glb").write_bytes(broken.tobytes())
    assert validate(tmp_path / "scene.glb")["issues"]["numErrors"] == 1
