"""The meshes of every frame, read back by another program's reader, are where the camera saw them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from handmade_result import handmade_result

from hoifield.errors import RefusedInput
from hoifield.result.frame_meshes import FrameMeshFormat, write_frame_meshes


@pytest.mark.parametrize("kind", ["ply", "obj"])
def test_object_and_hand_stand_in_the_camera_frame_with_faces_shared(tmp_path: Path, kind: FrameMeshFormat) -> None:
    result = handmade_result()
    write_frame_meshes(tmp_path, result, kind)
    for frame in (0, 11):
        for name, vertices, faces in (
            ("object", result.object_mesh.moved(result.T_camera_object[frame]).vertices, result.object_mesh.faces),
            ("right_hand", result.hands[0].vertices[frame], result.hands[0].faces),
        ):
            read = trimesh.load_mesh(tmp_path / name / f"{frame:06d}.{kind}", process=False)
            np.testing.assert_allclose(read.vertices, vertices, atol=1e-6)
            np.testing.assert_array_equal(read.faces, faces)


def test_a_frame_without_a_pose_has_no_file(tmp_path: Path) -> None:
    write_frame_meshes(tmp_path, replace(handmade_result(), frame_index=np.arange(12) + 100), "ply")
    assert [path.stem for path in sorted((tmp_path / "object").iterdir())] == [f"{frame:06d}" for frame in range(100, 112) if frame not in (104, 105)]
    assert len(list((tmp_path / "right_hand").iterdir())) == 12


def test_a_result_without_any_pose_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedInput) as raised:
        write_frame_meshes(tmp_path, replace(handmade_result(gap=tuple(range(12))), hands=()), "ply")
    assert raised.value.code == "HF-EXP-007"
