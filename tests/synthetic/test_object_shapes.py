"""Objects are closed, in one piece, of the size of the real thing, and the same instance is always the same object."""

import functools
import hashlib
import inspect
from dataclasses import asdict
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
import trimesh
from scipy.ndimage import label

from hoifield.cli.truth_commands import SynthCommand
from hoifield.errors import UsageError
from hoifield.geometry.isosurface import extract_isosurface
from hoifield.geometry.mesh import Mesh, signed_volume
from hoifield.result.mesh_files import write_mesh
from hoifield.shapes.draw_family import SHAPE_NAMES, draw_family, sample_distances
from hoifield.shapes.hand_tool import Spanner
from hoifield.shapes.object_family import ObjectFamily
from hoifield.shapes.plain_solids import Box, Can, Ring
from hoifield.synthetic.clip_recipe import ClipRecipe
from hoifield.synthetic.object_shapes import STANDARD_NAMES, make_held_object, make_object
from hoifield.synthetic.solid_texture import SKIN_NAMES

STANDARD_SHA256 = {
    "mug": "32854736b41c8c66ad7b924e591c1c27a22bf0d27c8d868b04d129d59c0a00bb",
    "bottle": "1fec12eb8a7571c5198cb85f1319d97132dbd2e92f90baf5f38a3c6d490d8abe",
    "box": "92d93f4859a48a0151dd68eb5591ee4de09f8ad92467ab75176aa606361783ee",
    "bowl": "7374058361b64a902349974d42d9abd94aacf9a2c54c96c3eb732e7355ff07bc",
    "can": "a3c9b0437f7f429177c25bcf515b38011cc558eeaf41dd6e5550f16a466708b6",
    "ring": "4fe34e9c74163758e58a8afc153287a9236dda4f6c780bd619335fe0a8eabc33",
}
"""Of the vertices in units of 1e-7 m, as the first clips were made with."""
STANDARD_MM = {
    "mug": (110, 75, 90),
    "bottle": (60, 60, 190),
    "box": (60, 40, 90),
    "bowl": (120, 120, 63),
    "can": (66, 66, 116),
    "ring": (106, 106, 26),
    "kettle": (205, 112, 111),
    "knife": (38, 18, 240),
    "toy-car": (115, 54, 46),
    "tool": (97, 26, 213),
}
SMALLEST_MM = {
    "mug": (92, 68, 72),
    "bottle": (49, 30, 124),
    "box": (38, 20, 60),
    "bowl": (92, 92, 35),
    "can": (52, 52, 45),
    "ring": (64, 64, 14),
    "kettle": (130, 92, 90),
    "knife": (20, 14, 168),
    "toy-car": (88, 42, 34),
    "tool": (20, 6, 145),
}
LARGEST_MM = {
    "mug": (135, 104, 113),
    "bottle": (76, 76, 236),
    "box": (74, 50, 160),
    "bowl": (145, 145, 71),
    "can": (82, 82, 166),
    "ring": (120, 120, 48),
    "kettle": (230, 117, 200),
    "knife": (72, 24, 247),
    "toy-car": (136, 61, 61),
    "tool": (115, 51, 245),
}
INSTANCES = [(name, instance) for name in SHAPE_NAMES for instance in (1, 2)]


@functools.cache
def sampled(name: str, instance: int) -> tuple[np.ndarray, Mesh]:
    distances, lower, spacing = sample_distances(draw_family(name, instance), 0.002 if name == "kettle" else 0.0015)
    return distances, extract_isosurface(distances, lower, spacing)


def holes_through(name: str, family: ObjectFamily | None) -> int:
    if isinstance(family, Spanner):
        return int(family.ring)
    return 1 if name in ("mug", "kettle", "ring") else 0


def genus(mesh: Mesh) -> float:
    return (2 - trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).euler_number) / 2


@pytest.mark.parametrize("name", STANDARD_NAMES)
def test_standard_shapes_never_change(name: str) -> None:
    vertices = np.round(1e7 * make_object(name).vertices).astype(np.int64)
    assert hashlib.sha256(vertices.tobytes()).hexdigest() == STANDARD_SHA256[name]


@pytest.mark.parametrize("name", SHAPE_NAMES)
def test_standard_shapes_are_closed_and_of_the_size_of_the_real_thing(name: str) -> None:
    mesh = make_object(name, grid_spacing=0.003)
    assert trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).is_watertight and signed_volume(mesh) > 0
    np.testing.assert_allclose(1000 * mesh.extent, STANDARD_MM[name], atol=4)


@pytest.mark.parametrize(("name", "instance"), INSTANCES)
def test_instances_are_closed_in_one_piece_without_voids_and_with_the_holes_they_should_have(name: str, instance: int) -> None:
    family, (distances, mesh) = draw_family(name, instance), sampled(name, instance)
    assert trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).is_watertight and signed_volume(mesh) > 0
    assert label(distances < 0)[1] == 1 and label(distances >= 0)[1] == 1
    assert genus(mesh) == holes_through(name, family)
    assert (mesh.extent <= np.subtract(*family.box[::-1]) + 0.0015).all()


def test_pieces_and_voids_would_be_counted() -> None:
    class Hollow(ObjectFamily):
        box = ((-0.03, -0.01, -0.01), (0.03, 0.01, 0.01))

        def distance(self, p: np.ndarray) -> np.ndarray:
            radius = np.linalg.norm(np.abs(p) - [0.02, 0, 0], axis=-1)
            return np.abs(radius - 0.007) - 0.002

    distances, _, _ = sample_distances(Hollow(), 0.001)
    assert label(distances < 0)[1] == 2 and label(distances >= 0)[1] == 3


@pytest.mark.parametrize("name", SHAPE_NAMES)
def test_sizes_stay_in_the_range_of_the_real_things(name: str) -> None:
    extent = np.array([1000 * np.subtract(*draw_family(name, instance).box[::-1]) for instance in range(1, 200)])
    assert (extent >= SMALLEST_MM[name]).all(), extent.min(0)
    assert (extent <= LARGEST_MM[name]).all(), extent.max(0)
    assert extent.max() <= 250 and (np.ptp(extent, axis=0) > 0.1 * np.array(LARGEST_MM[name]) - 2).all()


def test_boxes_cans_and_rings_have_the_volume_of_their_closed_form() -> None:
    for instance in (1, 2):
        box = draw_family("box", instance)
        assert isinstance(box, Box)
        r = box.rounding
        a, b, c = box.width - 2 * r, box.depth - 2 * r, box.length - 2 * r
        steiner = a * b * c + 2 * r * (a * b + b * c + c * a) + np.pi * r**2 * (a + b + c) + 4 / 3 * np.pi * r**3
        assert signed_volume(sampled("box", instance)[1]) == pytest.approx(steiner, rel=0.004)
        ring = draw_family("ring", instance)
        assert isinstance(ring, Ring)
        section = 4 * ring.half_width * ring.half_height - (4 - np.pi) * ring.rounding**2
        assert signed_volume(sampled("ring", instance)[1]) == pytest.approx(2 * np.pi * ring.mean_radius * section, rel=0.01)
        can = draw_family("can", instance)
        assert isinstance(can, Can)
        (r0, z0), (r1, z1) = can.outline()[:-1].T, can.outline()[1:].T
        assert signed_volume(sampled("can", instance)[1]) == pytest.approx(np.pi / 3 * ((r0**2 + r0 * r1 + r1**2) * (z1 - z0)).sum(), rel=0.005)


@pytest.mark.parametrize("name", SHAPE_NAMES)
def test_distances_never_overstate_the_way_to_the_surface(name: str) -> None:
    generator = np.random.default_rng(5)
    for instance in range(1, 7):
        family = draw_family(name, instance)
        p = generator.uniform(np.asarray(family.box[0]) - 0.01, np.asarray(family.box[1]) + 0.01, size=(4000, 3))
        step = generator.normal(size=p.shape)
        step *= 1e-4 / np.linalg.norm(step, axis=1, keepdims=True)
        slope = np.abs(family.distance(p + step) - family.distance(p)) / 1e-4
        assert slope.max() < 1.08, (instance, slope.max())
        assert np.quantile(slope, 0.9) > 0.6


@pytest.mark.parametrize("name", SHAPE_NAMES)
def test_an_instance_repeats_and_differs_from_every_other(name: str) -> None:
    drawn = [tuple(asdict(draw_family(name, instance)).values()) for instance in range(1, 60)]
    assert len(set(drawn)) == len(drawn)
    assert tuple(asdict(draw_family(name, 3)).values()) == drawn[2]
    coarse = [make_object(name, grid_spacing=0.004, instance=1) for _ in range(2)]
    assert coarse[0].vertices.tobytes() == coarse[1].vertices.tobytes() and coarse[0].faces.tobytes() == coarse[1].faces.tobytes()
    assert not np.allclose(sampled(name, 1)[1].extent, sampled(name, 2)[1].extent, atol=2e-4)


@pytest.mark.parametrize("name", ["kettle", "knife", "tool"])
def test_grips_lie_inside_the_handle_and_point_out_of_it(name: str) -> None:
    for instance in (1, 2, 3):
        held, family = make_held_object(name, instance, 0.004), draw_family(name, instance)
        middle = family.grips()[0].point - held.grips[0].point
        for grip in held.grips:
            assert grip.axis @ grip.outward == pytest.approx(0, abs=1e-12)
            assert np.linalg.norm(grip.axis) == pytest.approx(1) and np.linalg.norm(grip.outward) == pytest.approx(1, abs=0.011)
            point = grip.point + middle
            assert family.distance(point[None])[0] < -0.002
            for along in (-0.012, 0.012):
                assert family.distance((point + along * grip.axis)[None])[0] < -0.001, "the handle goes on along its axis"
            assert family.distance((point + 0.02 * grip.outward)[None])[0] > 0.002


def test_a_mesh_file_of_the_wrong_scale_is_brought_to_hand_size(tmp_path: Path) -> None:
    shape = trimesh.creation.box(extents=(30.0, 20.0, 10.0))
    write_mesh(tmp_path / "given.ply", Mesh(np.asarray(shape.vertices) + 7, np.asarray(shape.faces)))
    mesh = make_object(str(tmp_path / "given.ply"))
    np.testing.assert_allclose(mesh.extent, [0.12, 0.08, 0.04], rtol=1e-5)
    np.testing.assert_allclose(mesh.vertices.min(0) + mesh.vertices.max(0), 0, atol=1e-6)
    with pytest.raises(UsageError, match="HF-SYN-001"):
        make_object(str(tmp_path / "given.ply"), instance=3)


def test_the_command_line_names_every_shape_and_skin() -> None:
    assert all(f"{name}, " in inspect.getsource(SynthCommand) for name in SHAPE_NAMES)
    assert get_args(get_type_hints(SynthCommand)["skin"]) == SKIN_NAMES


def test_an_unknown_shape_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="HF-SYN-001"):
        make_object("teapot")
    with pytest.raises(UsageError, match="HF-SYN-009"):
        ClipRecipe(instance=-1)
