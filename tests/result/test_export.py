from pathlib import Path

import numpy as np
import pytest
from handmade_result import bowl, handmade_result

from hoifield.errors import CannotCreateOutput, UsageError
from hoifield.result.export import ExportFormat, export_result
from hoifield.result.mesh_files import read_mesh
from hoifield.result.result_folder import write_result


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    write_result(tmp_path / "run" / "result", handmade_result())
    return tmp_path / "run"


@pytest.mark.parametrize("kind", ["ply", "obj"])
def test_the_object_mesh_is_taken_away(run_folder: Path, tmp_path: Path, kind: ExportFormat) -> None:
    out = export_result(run_folder, kind, tmp_path / "new" / f"object.{kind}")
    np.testing.assert_allclose(read_mesh(out).vertices, bowl().vertices, atol=1e-8)


def test_npz_holds_poses_and_object_in_plain_arrays(run_folder: Path, tmp_path: Path) -> None:
    with np.load(export_result(run_folder, "npz", tmp_path / "all.npz"), allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["T_camera_object"], handmade_result().T_camera_object)
        np.testing.assert_array_equal(archive["object_faces"], bowl().faces)
        assert archive["object_colours"].shape == bowl().vertices.shape


def test_the_scene_that_is_there_is_copied_and_else_made(run_folder: Path, tmp_path: Path) -> None:
    assert export_result(run_folder, "glb", tmp_path / "a.glb").read_bytes()[:4] == b"glTF"
    (run_folder / "result" / "scene.glb").write_bytes(b"as it was")
    assert export_result(run_folder, "glb", tmp_path / "b.glb").read_bytes() == b"as it was"


def test_usd_hides_the_gap_and_holds_the_pose_before_it(run_folder: Path, tmp_path: Path) -> None:
    text = export_result(run_folder, "usd", tmp_path / "scene.usda").read_text()
    assert text.startswith("#usda 1.0") and text.count("{") == text.count("}") and text.count("(") == text.count(")")
    assert "nan" not in text and 'upAxis = "Y"' in text and "metersPerUnit = 1" in text
    prim = text[text.index('def Mesh "object"') : text.index('def Mesh "right_hand"')]
    shown = prim[prim.index("token visibility") :]
    assert '133: "invisible",' in shown and '167: "invisible",' in shown and '200: "inherited",' in shown
    keys = dict(line.strip().rstrip(",").split(": ", 1) for line in prim.splitlines() if ": ( (" in line)
    assert keys["167"] == keys["100"] != keys["200"] and "133" not in keys


def test_usd_opens_in_the_reference_reader_with_object_and_hand_in_place(run_folder: Path, tmp_path: Path) -> None:
    usd = pytest.importorskip("pxr.Usd", reason="usd-core is not installed")
    usd_geom = pytest.importorskip("pxr.UsdGeom", reason="usd-core is not installed")
    stage = usd.Stage.Open(str(export_result(run_folder, "usd", tmp_path / "scene.usda")))
    assert {prim.GetTypeName() for prim in stage.Traverse()} == {"Xform", "Mesh"}
    assert usd_geom.GetStageMetersPerUnit(stage) == 1 and stage.GetTimeCodesPerSecond() == 1000
    result = handmade_result()

    def world_points(name: str, frame: int) -> np.ndarray:
        time = usd.TimeCode(round(1000 * result.time_s[frame]))
        mesh = usd_geom.Mesh(stage.GetPrimAtPath(f"/scene/{name}"))
        T = np.array(mesh.ComputeLocalToWorldTransform(time))
        return np.array(mesh.GetPointsAttr().Get(time)) @ T[:3, :3] + T[3, :3]

    for frame in (0, 3, 6, 11):
        expected = result.object_mesh.moved(result.T_camera_object[frame]).vertices * [1, -1, -1]
        np.testing.assert_allclose(world_points("object", frame), expected, atol=1e-5)
        np.testing.assert_allclose(world_points("right_hand", frame), result.hands[0].vertices[frame] * [1, -1, -1], atol=1e-5)
        assert np.abs(world_points("object", frame) - result.object_mesh.moved(result.T_camera_object[7]).vertices * [1, -1, -1]).max() > 1e-3


def test_another_ending_and_a_blocked_folder_are_told(run_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        export_result(run_folder, "ply", tmp_path / "object.glb")
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotCreateOutput):
        export_result(run_folder, "ply", tmp_path / "file" / "object.ply")
