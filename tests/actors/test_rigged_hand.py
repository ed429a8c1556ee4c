"""A rigged hand file becomes a hand under the one contract: same joints, same skinning, either side, closed, adult-sized."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from hoifield.actors.choose_actor import load_actor
from hoifield.actors.flatten_hand import ADULT_HAND_LENGTH, hand_length
from hoifield.actors.pose_limits import pose_from_anatomical
from hoifield.actors.rigged_hand import load_rigged_hand
from hoifield.actors.skinned_model import SkinnedModel
from hoifield.errors import HoifieldError, MissingInput, RefusedInput

FINGERS = ("Index", "Middle", "Little", "Ring", "Thumb")
PARTS = {name: ("Metacarpal", "Proximal", "Distal") if name == "Thumb" else ("Proximal", "Intermediate", "Distal") for name in FINGERS}


def _gltf(model: SkinnedModel, suffix: str) -> dict[str, Any]:
    """The built-in hand as an artist would store it: other axes, 1.3 times as large, every face with vertices of its own."""
    turn = Rotation.from_rotvec([0.4, -1.1, 0.7]).as_matrix()
    points = model.template.double().numpy()
    tips = points[list(model.fingertip_vertices)][[1, 2, 4, 3, 0]]
    bones = 1.3 * np.concatenate([model.joint_template.double().numpy(), tips]) @ turn.T + [0.1, 0.2, 0.3]
    names = ["Wrist", *(f"{finger}_{part}" for finger in FINGERS for part in PARTS[finger]), *(f"{finger}_Tip" for finger in FINGERS)]
    corners = model.faces.numpy().ravel()
    weights = model.weights.numpy()[corners]
    members = np.argsort(-weights, axis=1)[:, :4]
    inverse_bind = np.tile(np.eye(4), (len(bones), 1, 1))
    inverse_bind[:, :3, 3] = -bones
    arrays = [
        ("VEC3", 5126, (1.3 * points @ turn.T + [0.1, 0.2, 0.3])[corners].astype("<f4")),
        ("VEC4", 5121, members.astype("<u1")),
        ("VEC4", 5126, np.take_along_axis(weights, members, axis=1).astype("<f4")),
        ("SCALAR", 5125, np.arange(len(corners), dtype="<u4")),
        ("MAT4", 5126, inverse_bind.transpose(0, 2, 1).astype("<f4")),
    ]
    starts = np.cumsum([0, *(array.nbytes for _, _, array in arrays)])
    uri = "data:application/octet-stream;base64," + base64.b64encode(b"".join(array.tobytes() for _, _, array in arrays)).decode()
    return {
        "asset": {"version": "2.0"},
        "buffers": [{"byteLength": int(starts[-1]), "uri": uri}],
        "bufferViews": [{"buffer": 0, "byteOffset": int(start), "byteLength": array.nbytes} for start, (_, _, array) in zip(starts, arrays)],
        "accessors": [{"bufferView": k, "type": kind, "componentType": code, "count": len(array)} for k, (kind, code, array) in enumerate(arrays)],
        "nodes": [{"name": f"{name}_{suffix}"} for name in names],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "JOINTS_0": 1, "WEIGHTS_0": 2}, "indices": 3}]}],
        "skins": [{"joints": list(range(len(names))), "inverseBindMatrices": 4}],
    }


def _written(folder: Path, document: dict[str, Any]) -> Path:
    path = folder / "hand.gltf"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("stored", ["right", "left"])
@pytest.mark.parametrize("side", ["right", "left"])
def test_a_hand_that_was_stored_comes_back(tmp_path: Path, stored: str, side: str) -> None:
    built_in = load_actor("anny", side)
    model = load_rigged_hand(_written(tmp_path, _gltf(load_actor("anny", stored), stored[0].upper())), side)
    length = hand_length(built_in.joint_template.double().numpy(), built_in.template.double().numpy()[list(built_in.fingertip_vertices)][[1, 2, 4, 3, 0]])
    scale = ADULT_HAND_LENGTH / length
    assert len(model.template) == len(built_in.template) and model.faces.shape == built_in.faces.shape
    np.testing.assert_allclose(model.joint_template, scale * built_in.joint_template, atol=2.5e-3)
    angles = torch.zeros(1, 16, 3)
    angles[0, [1, 2, 5, 8, 11], 0] = torch.tensor([0.7, 0.5, 0.8, 0.3, 0.6])
    posed = [actor.pose(torch.zeros(10), pose_from_anatomical(actor, angles), torch.eye(4)[None]) for actor in (model, built_in)]
    distance = cKDTree(posed[0].vertices[0].numpy()).query(scale * posed[1].vertices[0].numpy())[0]
    assert distance.max() < 6e-3 and np.median(distance) < 2e-3
    np.testing.assert_allclose(posed[0].keypoints[0], scale * posed[1].keypoints[0], atol=8e-3)


def _without_bone(document: dict[str, Any]) -> None:
    document["nodes"][5]["name"] = "Sixth_Finger_R"


def _with_hole(document: dict[str, Any]) -> None:
    document["accessors"][3]["count"] -= 3


def _cut_off(document: dict[str, Any]) -> None:
    document["buffers"][0]["uri"] = document["buffers"][0]["uri"][:40000]


def _elsewhere(document: dict[str, Any]) -> None:
    document["buffers"][0]["uri"] = "hand.bin"


@pytest.mark.parametrize(
    ("damage", "code"), [(_without_bone, "HF-ACT-010"), (_with_hole, "HF-ACT-010"), (_cut_off, "HF-ACT-009"), (_elsewhere, "HF-ACT-009")]
)
def test_damaged_hand_files_are_refused(tmp_path: Path, damage: Any, code: str) -> None:
    document = _gltf(load_actor("anny", "right"), "R")
    damage(document)
    with pytest.raises(RefusedInput, match=code):
        load_rigged_hand(_written(tmp_path, document), "right")


def test_what_is_no_gltf_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="HF-ACT-008"):
        load_rigged_hand(tmp_path / "none.gltf", "right")
    for content in ("no json", "[]", '{"buffers": []}'):
        (tmp_path / "hand.gltf").write_text(content)
        with pytest.raises(RefusedInput, match="HF-ACT-009"):
            load_rigged_hand(tmp_path / "hand.gltf", "right")


@pytest.mark.parametrize("name", ["hand_r", "hand_l"])
def test_a_real_rigged_hand_has_its_joints_inside_and_bends_towards_the_palm(real_data: Path, name: str) -> None:
    from hoifield.geometry.mesh_distance import MeshDistance

    try:
        model = load_rigged_hand(real_data / "hand-godot-cc0" / "model" / f"{name}.gltf", "right")
    except HoifieldError as error:
        pytest.skip(f"no rigged hand: {error}")
    flat = model.pose(torch.zeros(10), torch.zeros(1, 16, 3), torch.eye(4)[None])
    inside = MeshDistance(flat.vertices[0].double().numpy(), model.faces.numpy()).closest(flat.joints[0, 1:].double().numpy()).signed_distance
    assert (inside < 0).all()
    for joint, tip in ((2, 8), (5, 12), (11, 16), (8, 20)):
        angles = torch.zeros(1, 16, 3)
        angles[0, joint, 0] = 0.6
        bent = model.pose(torch.zeros(10), pose_from_anatomical(model, angles), torch.eye(4)[None])
        assert float(bent.keypoints[0, tip, 1] - flat.keypoints[0, tip, 1]) < -0.01
