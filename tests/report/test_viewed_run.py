"""Where the viewer puts things, and in which colours: against the camera's own equations, without a browser."""

import io
from dataclasses import replace

import numpy as np
import pytest
import trimesh

from hoifield.clip.clip import Clip
from hoifield.report.viewed_run import (
    HIGH,
    LOW,
    MIDDLE,
    NEVER_SEEN,
    colour_by_sightings,
    confidence_colour,
    decode_picture,
    describe_frame,
    encode_mesh,
    encode_picture,
    mean_up,
    picture_depth,
    place_camera,
    place_picture,
    read_pictures,
    row_at,
    spread_cameras,
    vertical_angle,
)
from hoifield.result.fit_result import FitResult
from hoifield.result.measure_quality import count_sightings


def test_the_corners_of_the_picture_plane_project_onto_the_corners_of_the_picture(result: FitResult):
    skewed = replace(result, K=result.K + np.array([[0.0, 0.0, 13.0], [0.0, 40.0, -9.0], [0.0, 0.0, 0.0]]))
    plane = place_picture(skewed, 3)
    corners = plane.centre + 0.5 * np.array([[-plane.width, -plane.height, 0.0], [plane.width, plane.height, 0.0]])
    projected = corners @ skewed.K[3].T
    np.testing.assert_allclose(projected[:, :2] / projected[:, 2:], [[0, 0], [320, 240]], atol=1e-9)
    assert vertical_angle(result, 0) == pytest.approx(2 * np.arctan(120 / 400))


def test_the_picture_lies_behind_everything_and_not_far(result: FitResult):
    posed = [row for row in range(12) if np.isfinite(result.T_camera_object[row]).all()]
    depths = [result.object_mesh.moved(result.T_camera_object[row]).vertices[:, 2].max() for row in posed]
    deepest = max(max(depths), float(np.nanmax(result.hands[0].vertices[:, :, 2])))
    assert deepest < picture_depth(result) < 1.4 * deepest


def test_the_object_stands_still_at_the_origin_of_its_world_and_the_camera_in_the_other(result: FitResult):
    for row in (0, 7):
        T_world_camera = place_camera(result, row, "object")
        assert T_world_camera is not None
        np.testing.assert_allclose(T_world_camera @ result.T_camera_object[row], np.eye(4), atol=1e-12)
    np.testing.assert_array_equal(place_camera(result, 0, "camera"), np.eye(4))
    assert place_camera(result, 4, "object") is None and not np.isfinite(result.T_camera_object[4]).any()


def test_cameras_are_spread_over_the_frames_that_have_a_pose(result: FitResult):
    assert len(spread_cameras(result)) == 10
    np.testing.assert_allclose(spread_cameras(result)[-1] @ result.T_camera_object[-1], np.eye(4), atol=1e-12)
    long = replace(result, T_camera_object=np.repeat(result.T_camera_object, 30, axis=0))
    assert len(spread_cameras(long)) == 60
    nothing = replace(result, T_camera_object=np.full((12, 4, 4), np.nan))
    assert len(spread_cameras(nothing)) == 0
    for world in ("camera", "object"):
        np.testing.assert_allclose(np.linalg.norm(mean_up(result, world)), 1.0)
        np.testing.assert_array_equal(mean_up(nothing, world), [0.0, -1.0, 0.0])


def test_colours_of_the_object_follow_the_frames_that_saw_it(result: FitResult):
    count, coloured = count_sightings(result), colour_by_sightings(result)
    assert coloured.colours is not None and count.max() > 0 and (count == 0).any()
    never = np.setdiff1d(np.arange(len(coloured.vertices)), coloured.faces[count > 0])
    assert len(never) > 0 and (coloured.colours[never] == NEVER_SEEN).all()
    most = np.setdiff1d(coloured.faces[count == count.max()], coloured.faces[count < count.max()])
    np.testing.assert_allclose(coloured.colours[most], np.tile(HIGH, (len(most), 1)))
    unseen = replace(result, T_camera_object=np.full((12, 4, 4), np.nan))
    assert (colour_by_sightings(unseen).colours == NEVER_SEEN).all()


def test_confidence_goes_from_red_over_yellow_to_green():
    for value, colour in ((0.0, LOW), (0.5, MIDDLE), (1.0, HIGH), (-1.0, LOW), (2.0, HIGH)):
        np.testing.assert_allclose(confidence_colour(value), colour)


def test_what_is_said_of_a_frame_is_what_the_result_says(result: FitResult):
    told = describe_frame(result, 4)
    assert told == {"time_s": pytest.approx(float(result.time_s[4])), "object": 0.0, "right hand": pytest.approx(0.9)}


def test_the_play_bar_follows_uneven_times():
    times = np.array([0.0, 0.1, 0.5, 0.6])
    assert [row_at(times, time) for time in (-1.0, 0.0, 0.09, 0.1, 0.49, 0.5, 9.0)] == [0, 0, 0, 1, 1, 2, 3]


def test_pictures_are_those_of_the_clip_by_number_and_absent_without_it(clip: Clip):
    pictures = read_pictures(clip)
    assert list(pictures) == list(range(14))
    (_, frame), *_ = clip.read_frames([5])
    far = {number: np.abs(decode_picture(jpeg).astype(float) - frame).mean() for number, jpeg in pictures.items()}
    assert min(far, key=far.__getitem__) == 5
    assert read_pictures(None) == {}


def test_a_picture_keeps_its_colours():
    red = np.zeros((16, 16, 3), np.uint8) + np.array([200, 40, 10], np.uint8)
    assert np.abs(decode_picture(encode_picture(red)).astype(int) - red).max() < 8


def test_a_mesh_goes_to_the_browser_whole(result: FitResult):
    scene = trimesh.load(io.BytesIO(encode_mesh(result.object_mesh)), file_type="glb")
    (mesh,) = scene.geometry.values()
    assert len(mesh.faces) == len(result.object_mesh.faces)
    np.testing.assert_allclose(np.sort(mesh.vertices, axis=0), np.sort(result.object_mesh.vertices, axis=0), atol=1e-6)
