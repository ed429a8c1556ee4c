import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handmade_result import capsule_hand, handmade_result
from scipy.spatial.transform import Rotation

from hoifield.actors.skinned_model import SkinnedModel
from hoifield.result.fit_result import FitResult
from hoifield.result.scene_glb import strongest_weights, write_scene_glb

OPENCV_IN_GLTF = np.diag([1.0, -1.0, -1.0])


class GlbReader:
    """A readable player of the .glb: accessors as arrays, nodes at a key, skinned vertices."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        magic, version, length = struct.unpack_from("<III", content)
        assert (magic, version, length) == (0x46546C67, 2, len(content))
        size, kind = struct.unpack_from("<II", content, 12)
        assert kind == 0x4E4F534A and size % 4 == 0
        self.document: dict[str, Any] = json.loads(content[20 : 20 + size])
        self.binary = content[28 + size :]

    def array(self, index: int) -> np.ndarray:
        entry = self.document["accessors"][index]
        view = self.document["bufferViews"][entry["bufferView"]]
        kind = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}[entry["componentType"]]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}[entry["type"]]
        assert view["byteOffset"] % 4 == 0 and view["byteOffset"] + view["byteLength"] <= len(self.binary)
        flat = np.frombuffer(self.binary, kind, entry["count"] * width, view["byteOffset"])
        return flat.reshape(entry["count"], width) if width > 1 else flat

    def node(self, name: str) -> int:
        return [node.get("name") for node in self.document["nodes"]].index(name)

    def matrices_at(self, key: int) -> np.ndarray:
        """World matrices of all nodes at one animation key."""
        nodes = [{"translation": [0, 0, 0], "rotation": [0, 0, 0, 1], "scale": [1, 1, 1], **node} for node in self.document["nodes"]]
        for animation in self.document.get("animations", []):
            for channel in animation["channels"]:
                sampler = animation["samplers"][channel["sampler"]]
                nodes[channel["target"]["node"]][channel["target"]["path"]] = self.array(sampler["output"])[key]
        world = np.tile(np.eye(4), (len(nodes), 1, 1))
        queue = [(index, np.eye(4)) for index in self.document["scenes"][0]["nodes"]]
        while queue:
            index, parent = queue.pop()
            local = np.eye(4)
            local[:3, :3] = Rotation.from_quat(nodes[index]["rotation"]).as_matrix() * np.asarray(nodes[index]["scale"])
            local[:3, 3] = nodes[index]["translation"]
            world[index] = parent @ local
            queue += [(child, world[index]) for child in nodes[index].get("children", [])]
        return world

    def vertices_at(self, name: str, key: int) -> np.ndarray:
        """World positions of a mesh node's vertices at one key, skinned where it has a skin."""
        index = self.node(name)
        node = self.document["nodes"][index]
        attributes = self.document["meshes"][node["mesh"]]["primitives"][0]["attributes"]
        points = self.array(attributes["POSITION"]).astype(np.float64)
        world = self.matrices_at(key)
        if "skin" not in node:
            return points @ world[index][:3, :3].T + world[index][:3, 3]
        skin = self.document["skins"][node["skin"]]
        inverse_bind = self.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
        matrices = world[skin["joints"]] @ inverse_bind
        blended = np.einsum("vk,vkab->vab", self.array(attributes["WEIGHTS_0"]), matrices[self.array(attributes["JOINTS_0"])])
        return np.einsum("vab,vb->va", blended[:, :3, :3], points) + blended[:, :3, 3]


@pytest.fixture(scope="module")
def result() -> FitResult:
    return handmade_result()


@pytest.fixture(scope="module")
def model() -> SkinnedModel:
    return capsule_hand()


def test_the_object_is_where_the_camera_saw_it_in_gltf_axes(tmp_path: Path, result: FitResult, model: SkinnedModel) -> None:
    write_scene_glb(tmp_path / "scene.glb", result, {"right": model})
    reader = GlbReader(tmp_path / "scene.glb")
    for key in (0, 3, 11):
        expected = result.object_mesh.moved(result.T_camera_object[key]).vertices @ OPENCV_IN_GLTF
        np.testing.assert_allclose(reader.vertices_at("object", key), expected, atol=1e-6)
        assert (reader.vertices_at("object", key)[:, 2] < 0).all()


def test_the_skinned_hand_moves_as_the_model_does(tmp_path: Path, result: FitResult, model: SkinnedModel) -> None:
    write_scene_glb(tmp_path / "scene.glb", result, {"right": model})
    reader = GlbReader(tmp_path / "scene.glb")
    for key in (0, 6, 11):
        np.testing.assert_allclose(reader.vertices_at("right_hand", key), result.hands[0].vertices[key] @ OPENCV_IN_GLTF, atol=1e-6)


def test_a_hand_without_its_model_moves_rigidly(tmp_path: Path, result: FitResult) -> None:
    write_scene_glb(tmp_path / "scene.glb", result, {"right": None})
    reader = GlbReader(tmp_path / "scene.glb")
    best = int(result.hands[0].confidence.argmax())
    expected = result.hands[0].vertices[best] @ OPENCV_IN_GLTF
    np.testing.assert_allclose(reader.vertices_at("right_hand_rigid", best), expected, atol=1e-6)
    assert "skins" not in reader.document


def test_a_gap_is_hidden_and_nothing_moves_through_it(tmp_path: Path, result: FitResult, model: SkinnedModel) -> None:
    write_scene_glb(tmp_path / "scene.glb", result, {"right": model})
    reader = GlbReader(tmp_path / "scene.glb")
    animation = reader.document["animations"][0]
    node = reader.node("object")
    tracks = {
        channel["target"]["path"]: animation["samplers"][channel["sampler"]]
        for channel in animation["channels"]
        if channel["target"]["node"] == node
    }
    scale = reader.array(tracks["scale"]["output"])
    assert tracks["scale"]["interpolation"] == "STEP"
    assert (scale[4:6] == 0).all() and (np.delete(scale, [4, 5], axis=0) == 1).all()
    for path in ("translation", "rotation"):
        values = reader.array(tracks[path]["output"])
        np.testing.assert_array_equal(values[4], values[3])
        np.testing.assert_array_equal(values[5], values[3])
    assert np.isfinite(np.frombuffer(reader.binary[: len(reader.binary) // 4 * 4], np.float32)).any()


def test_neighbouring_rotations_take_the_short_way(tmp_path: Path) -> None:
    full_turn = handmade_result(frames=40, gap=())
    spin = Rotation.from_rotvec(np.linspace(0, 4 * np.pi, 40)[:, None] * [0, 1, 0]).as_matrix()
    T = full_turn.T_camera_object.copy()
    T[:, :3, :3] = spin
    write_scene_glb(tmp_path / "scene.glb", replace(full_turn, T_camera_object=T), {})
    reader = GlbReader(tmp_path / "scene.glb")
    samplers, channels = (reader.document["animations"][0][name] for name in ("samplers", "channels"))
    wanted = {"node": reader.node("object"), "path": "rotation"}
    values = next(reader.array(samplers[entry["sampler"]]["output"]) for entry in channels if entry["target"] == wanted)
    assert ((values[1:] * values[:-1]).sum(1) > 0).all()


def test_a_scene_without_any_pose_still_opens(tmp_path: Path, result: FitResult) -> None:
    nothing = replace(result, object_confidence=np.zeros(12), T_camera_object=np.full((12, 4, 4), np.nan), hands=())
    write_scene_glb(tmp_path / "scene.glb", nothing, {})
    reader = GlbReader(tmp_path / "scene.glb")
    assert "meshes" not in reader.document and "animations" not in reader.document


def test_four_weights_of_each_vertex_are_kept_and_sum_to_one() -> None:
    weights = np.random.default_rng(0).dirichlet(np.full(16, 0.3), size=200)
    joints, kept = strongest_weights(weights)
    np.testing.assert_allclose(kept.sum(1), 1.0, atol=1e-6)
    assert (kept[:, 0] == kept.max(1)).all()
    np.testing.assert_array_equal(joints[:, 0], weights.argmax(1))
