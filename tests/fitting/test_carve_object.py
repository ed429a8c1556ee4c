"""A field that fills a painted cup learns the cup; that of a cup of one colour stays as it is."""

from copy import deepcopy
from functools import cache

import numpy as np
import pytest
import torch

from hoifield.fields.colour_field import ColourField
from hoifield.fields.distance_field import DistanceField
from hoifield.fields.hash_grid_layout import HashGridLayout
from hoifield.fields.radiance_field import BackgroundField
from hoifield.fitting.carve_object import LEAST_SHARED, carve_object, shared_outlines
from hoifield.fitting.frame_pixels import BACKGROUND_ENTITY, FramePixels
from hoifield.geometry.cameras import Camera
from hoifield.geometry.isosurface import extract_isosurface
from hoifield.geometry.mesh import signed_volume
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.renderer.surface_level import rendered_surface_level
from hoifield.result.collect_result import extract_object_mesh
from hoifield.scene.frame_table import FrameTable
from hoifield.scene.scene import Scene
from tests.fitting.test_carve_colours import SIZE, SPACING, VIEWS, K, cylinder, views_of

HALF_SIZE, NODES = 0.05, 48
WIDTH = 0.001


@pytest.fixture(autouse=True)
def coarse_grids(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cup is simple: the grids of a fit take a minute. Its edges go where nodes are this coarse, and take some of its outline with them."""
    monkeypatch.setattr("hoifield.fitting.carve_object.LEAST_SHARED", 0.95)
    monkeypatch.setattr("hoifield.fitting.carve_object.SURFACE_RESOLUTION", 56)
    monkeypatch.setattr("hoifield.fitting.carve_object.RESOLUTION", 48)


def pixels_of(painted: bool) -> FramePixels:
    """The pictures of the cup, as the fit keeps them."""
    views = views_of(painted)
    ones = np.ones((SIZE, SIZE), np.float32)
    return FramePixels(
        camera=Camera(K, SIZE, SIZE),
        colours=tuple(np.round(255 * picture).astype(np.uint8) for picture in views.colours),
        entities=tuple(np.where(seen, 0, BACKGROUND_ENTITY) for seen in views.counted),
        certain=(ones,) * VIEWS,
        outline=(0 * ones,) * VIEWS,
        corner=np.zeros((VIEWS, 2), int),
        depth=None,
    )


@cache
def filled() -> Scene:
    """The solid cylinder, as a renderer shows it, under the true poses; do not change it."""
    layout = HashGridLayout(levels=6, table_size=2**12, finest_resolution=48)
    field = DistanceField(torch.zeros(3), HALF_SIZE, layout, seed=0)
    axis = np.linspace(-HALF_SIZE, HALF_SIZE, NODES)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    solid = cylinder(False)
    values = MeshDistance(solid.vertices, solid.faces).closest(points).signed_distance.reshape((NODES,) * 3)
    spacing = 2 * HALF_SIZE / (NODES - 1)
    shown = values + rendered_surface_level(values, spacing, WIDTH)
    field.start_from_grid(torch.tensor(shown, dtype=torch.float32), torch.full((3,), -HALF_SIZE), spacing, 120)
    poses = torch.tensor(views_of(True).T_camera_object, dtype=torch.float32)
    frames = FrameTable(torch.arange(VIEWS) / 30, poses, torch.ones(VIEWS), ())
    colour = ColourField(field.feature_count, extra=3, view_dependent=False, seed=1)
    return Scene(Camera(K, SIZE, SIZE), frames, field, colour, [], BackgroundField(torch.zeros(3), 1.0, seed=2))


def test_the_field_of_a_painted_cup_is_emptied() -> None:
    solid, cup = signed_volume(cylinder(False)), signed_volume(cylinder(True))
    scene = deepcopy(filled())
    assert carve_object(scene, pixels_of(painted=True), WIDTH, 150, 0)
    volume = signed_volume(extract_object_mesh(scene, 56, WIDTH))
    print(f"cup {1e6 * cup:.0f} cm3, filled {1e6 * solid:.0f}, the field after carving {1e6 * volume:.0f}")
    assert 0.5 * cup < volume < cup + 0.15 * (solid - cup)


def test_the_field_of_a_cup_of_one_colour_is_left_as_it_is() -> None:
    scene = deepcopy(filled())
    before = {name: value.clone() for name, value in scene.object_distance.state_dict().items()}
    assert not carve_object(scene, pixels_of(painted=False), WIDTH, 150, 0)
    for name, value in scene.object_distance.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_wall_that_is_gone_changes_outlines_and_a_cavity_hardly_does() -> None:
    axis = np.arange(-0.044, 0.0441, SPACING)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    solid = np.maximum(np.hypot(x, y) - 0.035, np.abs(z) - 0.025)
    breached = extract_isosurface(np.maximum(solid, x - 0.025), axis[[0, 0, 0]], SPACING)
    poses, camera = views_of(True).T_camera_object, Camera(K, SIZE, SIZE)
    assert shared_outlines(cylinder(False), cylinder(True), poses, camera) > LEAST_SHARED
    assert shared_outlines(cylinder(False), breached, poses, camera) < LEAST_SHARED
