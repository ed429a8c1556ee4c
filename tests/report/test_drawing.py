from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from handmade_result import bowl

from hoifield.clip.clip import Clip
from hoifield.geometry.mesh import Mesh
from hoifield.report.draw_meshes import blend_drawing, draw_meshes, find_outline
from hoifield.report.overlay_video import draw_overlay_frame, panel_size, posed_meshes, write_overlay
from hoifield.report.report_content import draw_labels, picture_masks
from hoifield.report.turntable import PAPER, render_turntable
from hoifield.result.fit_result import FitResult

K = np.array([[100.0, 0.0, 50.0], [0.0, 100.0, 50.0], [0.0, 0.0, 1.0]])


def square(depth: float, half: float, colour: tuple[float, float, float]) -> Mesh:
    """A square that faces the camera."""
    corners = np.array([[-half, -half, depth], [half, -half, depth], [half, half, depth], [-half, half, depth]])
    return Mesh(corners, np.array([[0, 2, 1], [0, 3, 2]]), np.tile(colour, (4, 1)))


def test_the_nearer_mesh_hides_the_farther_whatever_the_order() -> None:
    near, far = square(1.0, 0.2, (1, 0, 0)), square(2.0, 0.8, (0, 0, 1))
    one, other = draw_meshes([near, far], K, 100, 100), draw_meshes([far, near], K, 100, 100)
    np.testing.assert_array_equal(one.colour, other.colour)
    assert (one.entity == 0).sum() == 40 * 40 and (one.entity == 1).sum() == 80 * 80 - 40 * 40
    assert one.colour[50, 50, 0] > 0.5 and one.colour[50, 50, 2] == 0
    assert one.depth[50, 50] == pytest.approx(1.0) and np.isinf(one.depth[2, 2])


def test_a_face_turned_to_the_lamp_is_brighter_than_one_turned_away() -> None:
    away, towards = np.array([[0.0, 0, 1], [0.3, 0, 1], [0, 0.3, 1.3]]), np.array([[0.0, 0, 1], [0.3, 0, 1.0], [0, 0.3, 0.75]])
    bright, dark = (draw_meshes([Mesh(corners, np.array([[0, 2, 1]]))], K, 100, 100) for corners in (towards, away))
    assert bright.colour[bright.entity == 0].mean() > dark.colour[dark.entity == 0].mean() + 0.1


def test_only_drawn_pixels_of_the_frame_change() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (100, 100, 3), dtype=np.uint8)
    drawing = draw_meshes([square(1.0, 0.2, (1, 0, 0))], K, 100, 100)
    blended = blend_drawing(frame, drawing)
    drawn = drawing.entity >= 0
    np.testing.assert_array_equal(blended[~drawn], frame[~drawn])
    assert (blended[drawn] != frame[drawn]).any(1).mean() > 0.99
    assert (find_outline(drawing.entity) & drawn).sum() == 4 * 39


def test_a_frame_without_a_pose_says_so_and_draws_nothing(result: FitResult) -> None:
    meshes, notes = posed_meshes(result, 4)
    assert len(meshes) == 1 and notes == ["no object pose"]
    frame = np.full((240, 320, 3), 128, dtype=np.uint8)
    alone = replace(result, hands=())
    hidden, seen, unfitted = (draw_overlay_frame(frame, alone, row) for row in (4, 3, None))
    assert (hidden[:22] < 100).any() and (hidden[:22] > 200).any(), "the tag"
    assert (hidden[40:] == round(0.55 * 128)).all(), "nothing drawn, the frame dimmed"
    assert (seen[100:140, 160:200] != 128).any()
    assert unfitted[200, 200].max() < 90, "dimmed"


def test_the_overlay_follows_the_size_of_the_frame(result: FitResult) -> None:
    small, large = (draw_overlay_frame(np.full((h, w, 3), 128, np.uint8), result, 0) for h, w in ((240, 320), (480, 640)))
    share = [(picture != 128).any(2).mean() for picture in (small, large)]
    assert share[0] == pytest.approx(share[1], rel=0.03)


def test_overlay_video_has_every_frame_twice_as_wide_in_a_form_browsers_play(tmp_path: Path, clip: Clip, result: FitResult) -> None:
    write_overlay(tmp_path / "overlay.mp4", clip, result)
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        pictures = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(stream)]
    assert len(pictures) == clip.frame_count and pictures[0][1].shape == (240, 640, 3)
    np.testing.assert_allclose([time for time, _ in pictures], clip.time_s, atol=1e-3)
    inputs = [frame for _, frame in clip.read_frames()]
    left, right = pictures[0][1][:, :320].astype(float), pictures[0][1][:, 320:].astype(float)
    assert np.abs(left[40:] - inputs[0][40:]).mean() < 6
    assert np.abs(right[90:150, 150:190] - inputs[0][90:150, 150:190]).mean() > 25
    assert pictures[13][1][100:, 320:].mean() < 90, "frames that were not fitted are dimmed"
    assert [path.name for path in tmp_path.iterdir()] == ["overlay.mp4"]


def test_panels_are_even_and_never_enlarged() -> None:
    assert panel_size(1921, 1081, 480) == (852, 480)
    assert panel_size(321, 241, 480) == (320, 240)


def test_only_the_view_from_above_shows_the_bottom_of_the_cavity() -> None:
    strip = render_turntable(bowl(), size=64).reshape(64, 10, 64, 3).swapaxes(0, 1).astype(int)
    red = [((view[..., 0] > 150) & (view[..., 1] < 110)).sum() for view in strip]
    assert red[8] > 5 and red[9] == 0 and max(red[:8]) == 0
    filled = (strip != PAPER).any(-1).mean(axis=(1, 2))
    assert (filled > 0.2).all() and (filled < 0.9).all()


def test_an_empty_mesh_gives_empty_pictures() -> None:
    assert (render_turntable(Mesh(np.zeros((0, 3)), np.zeros((0, 3), dtype=int)), size=16) == PAPER).all()


def test_labels_tint_object_and_hands_in_their_own_colours() -> None:
    labels = np.zeros((10, 10), dtype=np.uint8)
    labels[:, 2:5], labels[:, 6:9] = 1, 2
    drawn = draw_labels(np.full((100, 100, 3), 128, dtype=np.uint8), labels)
    assert drawn[50, 10].tolist() == [128, 128, 128]
    assert drawn[50, 35, 2] > drawn[50, 35, 0] and drawn[50, 75, 0] > drawn[50, 75, 2]


def test_mask_pictures_tell_source_and_confidence(clip: Clip) -> None:
    from hoifield.observations.frame_masks import FrameMasks

    masks = FrameMasks(np.ones((14, 24, 32), np.uint8), np.full(14, 0.75), np.full(14, 0.5), ("automatic",) * 14)
    pictures = picture_masks(clip, masks, count=3)
    assert [picture.caption for picture in pictures][0] == "frame 0: object 0.75, hand 0.50, automatic"
    assert len(pictures) == 3
