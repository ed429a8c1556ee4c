"""A known shape is put where the silhouettes want it, whatever its frame and units; another shape is told by its silhouettes."""

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial.transform import Rotation

from hoifield.geometry.mesh import Mesh
from hoifield.geometry.rotations import rotation_angle
from hoifield.observations.measure_by_depth import scale_hull
from hoifield.observations.object_track import ObjectTrack
from hoifield.observations.place_template import known_family, known_mesh, place_template, spread_rotations
from hoifield.observations.shape_places import tabulate
from tests.observations.turning_grasp import TurningGrasp, make_grasp, rotation

FRAMES = 12
TURN, SHIFT = rotation(0.7, -1.9, 1.1), np.array([30.0, -10.0, 20.0])
CENTIMETRES = 100.0


@pytest.fixture(scope="module")
def grasp() -> TurningGrasp:
    return make_grasp(count=FRAMES, size=96)


@pytest.fixture(scope="module")
def track(grasp: TurningGrasp) -> ObjectTrack:
    """Poses in a frame that is moved and turned from the box's own; the frame of index 3 has none. The hull is a box about it that is too deep."""
    T_object_box = np.eye(4)
    T_object_box[:3, :3], T_object_box[:3, 3] = rotation(-0.4, 0.3, 2.0), (0.01, -0.02, 0.03)
    poses = grasp.T_camera_object @ np.linalg.inv(T_object_box)
    poses[3] = np.nan
    deep = trimesh.creation.box((0.12, 0.09, 0.14))
    hull = Mesh(np.asarray(deep.vertices) + T_object_box[:3, 3] + 0.008, np.asarray(deep.faces))
    known = np.isfinite(poses[:, 0, 0])
    source = tuple("motion" if one else "none" for one in known)
    return ObjectTrack(poses, known.astype(float), source, hull, np.where(known, 0.95, np.nan))


def disguised(mesh: Mesh) -> Mesh:
    return Mesh(CENTIMETRES * (mesh.vertices @ TURN.T) + SHIFT, mesh.faces)


@pytest.fixture(scope="module")
def placed(grasp: TurningGrasp, track: ObjectTrack) -> ObjectTrack:
    return place_template(track, known_mesh(disguised(grasp.mesh)), None, grasp.masks(), grasp.camera)


def test_a_template_in_another_frame_and_unit_comes_to_lie_on_the_object(grasp: TurningGrasp, placed: ObjectTrack):
    known = [frame for frame in range(FRAMES) if frame != 3]
    for frame in known:
        put = placed.hull.moved(placed.T_camera_object[frame]).vertices
        true = grasp.mesh.moved(grasp.T_camera_object[frame]).vertices
        assert np.linalg.norm(put - true, axis=1).max() < 0.008, frame
    assert placed.known_shape is not None
    # at 96 pixels the drawing grows by about half a pixel, which is 5 % of the box's shorter side
    assert placed.known_shape.size == pytest.approx(1 / CENTIMETRES, rel=0.08)
    assert np.nanmedian(placed.silhouette_iou) > 0.93 and placed.known_shape.likeness > 0.97
    assert np.isnan(placed.T_camera_object[3]).all() and np.isnan(placed.silhouette_iou[3])


def test_size_and_middle_take_points_of_the_template_to_the_object(grasp: TurningGrasp, placed: ObjectTrack):
    assert placed.known_shape is not None
    points = placed.known_shape.size * (disguised(grasp.mesh).vertices - placed.known_shape.middle)
    assert points == pytest.approx(placed.hull.vertices, abs=1e-12)
    assert placed.hull.vertices.min(0) == pytest.approx(-placed.hull.vertices.max(0), abs=1e-12)


def test_another_shape_is_told_by_its_silhouettes(grasp: TurningGrasp, track: ObjectTrack, monkeypatch: pytest.MonkeyPatch):
    # fewer turns do for a rod
    monkeypatch.setattr("hoifield.observations.place_template.ROTATIONS", 120)
    monkeypatch.setattr("hoifield.observations.place_template.SETTLED", 8)
    rod = trimesh.creation.cylinder(radius=0.012, height=0.17, sections=24)
    put = place_template(track, known_mesh(Mesh(np.asarray(rod.vertices), np.asarray(rod.faces))), None, grasp.masks(), grasp.camera)
    assert put.known_shape is not None and put.known_shape.likeness < 0.85


def test_a_word_is_enough_to_find_the_lengths_of_a_box(track: ObjectTrack, monkeypatch: pytest.MonkeyPatch):
    grasp = make_grasp(count=FRAMES, size=96, shape=trimesh.creation.box((0.06, 0.05, 0.11)))
    monkeypatch.setattr("hoifield.observations.place_template.ROTATIONS", 60)
    monkeypatch.setattr("hoifield.observations.place_template.SETTLED", 8)
    put = place_template(track, known_family("box"), None, grasp.masks(), grasp.camera)
    assert put.known_shape is not None and put.known_shape.likeness > 0.97
    # at 96 pixels the drawing grows by about half a pixel, 1.7 mm, on each side, and the hand hides one end
    assert np.sort(put.hull.extent) == pytest.approx(np.sort(grasp.mesh.extent), rel=0.16)
    assert put.hull.vertices.min(0) == pytest.approx(-put.hull.vertices.max(0), abs=1e-9)


def test_rotations_are_spread_over_all_of_them():
    spread = torch.from_numpy(spread_rotations(400))
    assert torch.allclose(spread @ spread.transpose(1, 2), torch.eye(3, dtype=torch.float64).expand(400, 3, 3), atol=1e-12)
    assert torch.linalg.det(spread) == pytest.approx(1.0)
    anywhere = torch.from_numpy(Rotation.random(50, random_state=0).as_matrix())
    nearest = torch.stack([rotation_angle(one.T @ spread).min() for one in anywhere])
    assert np.degrees(float(nearest.max())) < 28
    assert np.degrees(float(torch.stack([rotation_angle(one.T @ spread[:50]).min() for one in anywhere]).max())) > 40


def test_a_scaled_grid_holds_the_distances_of_the_scaled_shape(grasp: TurningGrasp):
    points = np.random.default_rng(1).uniform(-0.03, 0.03, (200, 3))
    known = known_mesh(grasp.mesh)
    grid = tabulate(known.spaces[0], np.zeros(0))
    assert known.middle is not None
    assert scale_hull(grid, 2.0).at(2 * points) == pytest.approx(2 * grid.at(points), abs=1e-7)
    assert grid.at(-known.middle[None])[0] == pytest.approx(-0.025, abs=0.0025)
