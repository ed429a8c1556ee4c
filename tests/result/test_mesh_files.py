from pathlib import Path

import numpy as np
import pytest
from handmade_result import bowl, capsule
from hypothesis import given, settings
from hypothesis import strategies as st

from hoifield.errors import MissingInput, RefusedInput, UsageError
from hoifield.geometry.mesh import Mesh, signed_volume
from hoifield.result.glb_file import linear_from_srgb, srgb_from_linear
from hoifield.result.mesh_files import decode_ply, read_mesh, write_mesh
from hoifield.result.ply_file import encode_ply
from hoifield.result.surface_quality import is_watertight


@pytest.mark.parametrize(("name", "position", "colour"), [("a.ply", 0, 0), ("a.npz", 0, 0), ("a.obj", 1e-9, 1e-8), ("a.glb", 0, 0.01)])
def test_every_format_comes_back(tmp_path: Path, name: str, position: float, colour: float) -> None:
    mesh = bowl()
    write_mesh(tmp_path / name, mesh)
    again = read_mesh(tmp_path / name)
    np.testing.assert_array_equal(again.faces, mesh.faces)
    np.testing.assert_allclose(again.vertices, mesh.vertices, atol=position, rtol=0)
    assert again.colours is not None and mesh.colours is not None
    np.testing.assert_allclose(again.colours, mesh.colours, atol=colour, rtol=0)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(3, 40), st.integers(1, 60), st.integers(0, 2**31))
def test_any_mesh_survives_a_ply_file(vertices: int, faces: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    mesh = Mesh(generator.normal(size=(vertices, 3)).astype(np.float32).astype(np.float64), generator.integers(0, vertices, (faces, 3)))
    again = decode_ply(encode_ply(mesh), "a.ply")
    np.testing.assert_array_equal(again.vertices, mesh.vertices)
    np.testing.assert_array_equal(again.faces, mesh.faces)
    assert again.colours is None


def test_our_ply_opens_in_another_reader(tmp_path: Path) -> None:
    import trimesh

    write_mesh(tmp_path / "a.ply", bowl())
    other = trimesh.load(tmp_path / "a.ply", process=False)
    assert other.is_watertight and len(other.faces) == len(bowl().faces)
    np.testing.assert_array_equal(other.visual.vertex_colors[:, :3] / 255.0, bowl().colours)


def test_the_ply_of_another_writer_is_read(tmp_path: Path) -> None:
    import trimesh

    box = trimesh.creation.box((0.1, 0.2, 0.3))
    for encoding in ("ascii", "binary"):
        box.export(tmp_path / "box.ply", encoding=encoding)
        np.testing.assert_allclose(read_mesh(tmp_path / "box.ply").extent, [0.1, 0.2, 0.3], atol=1e-6)


def test_polygons_are_cut_into_fans() -> None:
    text = "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
    text += "element face 1\nproperty list uchar int vertex_index\nend_header\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3\n"
    assert decode_ply(text.encode(), "quad.ply").faces.tolist() == [[0, 1, 2], [0, 2, 3]]


HEADER = "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
FACES = "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
MALFORMED = {
    "empty.ply": b"",
    "no_header.ply": b"ply\nhello",
    "nan.ply": (HEADER + FACES + "nan 0 0 1 0 0 0 1 0 3 0 1 2").encode(),
    "outside.ply": (HEADER + FACES + "0 0 0 1 0 0 0 1 0 3 0 1 7").encode(),
    "short.ply": (HEADER + FACES + "0 0 0 1 0").encode(),
    "two_corners.ply": (HEADER + FACES + "0 0 0 1 0 0 0 1 0 2 0 1").encode(),
    "huge.ply": HEADER.replace("vertex 3", "vertex 99999999999").encode() + FACES.encode(),
    "no_faces.ply": (HEADER + "end_header\n0 0 0 1 0 0 0 1 0").encode(),
    "outside.obj": b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n",
    "zero.obj": b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 0 1 2\n",
    "words.obj": b"v a b c\n",
    "empty.obj": b"",
    "cut.glb": b"glTF\x02\0\0\0",
    "noise.glb": bytes(range(256)),
    "noise.npz": bytes(range(256)),
    "zip.npz": b"PK\x03\x04" + bytes(100),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_mesh_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(MALFORMED[name])
    with pytest.raises(RefusedInput, match="HF-RES-011"):
        read_mesh(tmp_path / name)


def test_a_missing_mesh_and_an_unknown_ending_say_so(tmp_path: Path) -> None:
    with pytest.raises(MissingInput):
        read_mesh(tmp_path / "none.ply")
    with pytest.raises(UsageError):
        read_mesh(tmp_path / "none.blend")


def test_a_broken_mesh_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(RefusedInput):
        write_mesh(tmp_path / "a.ply", Mesh(np.full((3, 3), np.nan), np.array([[0, 1, 2]])))
    assert not (tmp_path / "a.ply").exists()


@given(st.floats(0, 1))
def test_colours_go_to_linear_light_and_back(value: float) -> None:
    np.testing.assert_allclose(srgb_from_linear(linear_from_srgb(np.array([value]))), [value], atol=1e-4)


def test_a_closed_mesh_is_watertight_and_loses_it_with_one_face() -> None:
    mesh = bowl()
    assert is_watertight(mesh)
    assert not is_watertight(Mesh(mesh.vertices, mesh.faces[1:]))
    assert not is_watertight(Mesh(mesh.vertices, mesh.faces[:, ::-1]))


def test_a_capsule_has_the_volume_of_a_capsule() -> None:
    mesh = capsule(np.zeros(3), np.array([0.0, 0.0, 0.1]), 0.02, sides=64, rings=64)
    expected = np.pi * 0.02**2 * 0.1 + 4 / 3 * np.pi * 0.02**3
    np.testing.assert_allclose(signed_volume(mesh), expected, rtol=5e-3)
