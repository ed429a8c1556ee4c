"""Opening clips: rotations, times, damage, odd files, hostile names. All videos are made here."""

import os
import random
import socket
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from video_writer import BLUE, GREEN, RED, write_sound_only, write_video

from hoifield.clip.clip import Clip
from hoifield.clip.open_clip import name_clip, open_clip
from hoifield.clip.video_stream import opened_video
from hoifield.errors import HoifieldError, RefusedInput


def first_frame(clip: Clip) -> np.ndarray:
    ((_, image),) = clip.read_frames([0])
    return image


def corners(clip: Clip) -> list[str]:
    """Colours at top left, top right, bottom left, bottom right."""
    image = first_frame(clip).astype(int)
    names = {"red": RED, "green": GREEN, "blue": BLUE, "dark": (0, 0, 0)}
    pixels = (image[4, 4], image[4, -5], image[-5, 4], image[-5, -5])
    return [min(names, key=lambda name: int(np.abs(pixel - names[name]).sum())) for pixel in pixels]


@pytest.mark.parametrize(
    ("rotation", "mirrored", "expected"),
    [
        (0, False, ["red", "green", "blue", "dark"]),
        (90, False, ["green", "dark", "red", "blue"]),
        (180, False, ["dark", "blue", "green", "red"]),
        (270, False, ["blue", "red", "dark", "green"]),
        (0, True, ["green", "red", "dark", "blue"]),
    ],
)
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_rotation_metadata_is_applied(tmp_path: Path, rotation: int, mirrored: bool, expected: list[str], suffix: str) -> None:
    clip = open_clip(write_video(tmp_path / f"a.{suffix}", frames=8, rotation=rotation, mirrored=mirrored))
    assert corners(clip) == expected
    assert (clip.width, clip.height) == ((48, 64) if rotation in (90, 270) else (64, 48))
    assert first_frame(clip).shape == (clip.height, clip.width, 3)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_variable_frame_rate_keeps_its_times(tmp_path: Path, suffix: str) -> None:
    stamps = [0, 33, 66, 200, 233, 266, 300, 500, 533, 566, 600, 1000]
    clip = open_clip(write_video(tmp_path / f"a.{suffix}", frames=12, stamps_ms=stamps))
    np.testing.assert_allclose(clip.time_s, np.array(stamps) / 1000.0, atol=1e-9)


def test_frames_come_in_display_order_with_b_frames(tmp_path: Path) -> None:
    options = {"bf": "3", "g": "30", "crf": "10"}
    clip = open_clip(write_video(tmp_path / "a.mp4", frames=40, codec_options=options))
    brightness = [image[-5, -5].mean() for _, image in clip.read_frames()]
    np.testing.assert_allclose(brightness, np.arange(40) * 4, atol=4)


def test_frames_hidden_by_an_edit_list_are_no_loss(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", frames=40, shown_from=10, codec_options={"bf": "0", "g": "40"})
    clip = open_clip(path)
    assert clip.frame_count == 30
    assert first_frame(clip)[-5, -5].mean() == pytest.approx(40, abs=5)


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mp4", "libx264", "yuv420p"), ("a.mov", "prores_ks", "yuv422p10le"), ("a.avi", "mpeg4", "yuv420p"),
        ("a.avi", "libx264", "yuv420p"), ("a.webm", "libvpx-vp9", "yuv420p"), ("a.webm", "libvpx", "yuv420p"),
        ("a.ts", "mpeg2video", "yuv420p"), ("a.flv", "libx264", "yuv420p"), ("a.mkv", "ffv1", "gray"), ("a.gif", "gif", "rgb8"),
        ("a.mov", "png", "rgba"), ("a.mp4", "libx264", "yuv444p"), ("a.mkv", "mjpeg", "yuvj420p"),
    ],
)  # fmt: skip
def test_every_frame_of_many_formats_is_counted_and_read(tmp_path: Path, name: str, codec: str, pixels: str) -> None:
    clip = open_clip(write_video(tmp_path / name, frames=30, codec=codec, pixels=pixels))
    assert clip.frame_count == 30
    assert [number for number, _ in clip.read_frames()] == list(range(30))
    assert clip.frames_per_second == pytest.approx(30.0, rel=0.01)
    assert (np.diff(clip.time_s) > 0).all()


def test_an_odd_size_keeps_every_pixel(tmp_path: Path) -> None:
    clip = open_clip(write_video(tmp_path / "a.mkv", frames=8, size=(63, 47), pixels="yuv444p"))
    assert first_frame(clip).shape == (47, 63, 3)


def test_pixels_that_are_not_square_are_made_square(tmp_path: Path) -> None:
    clip = open_clip(write_video(tmp_path / "a.mp4", frames=8, size=(64, 48), pixel_aspect=Fraction(2, 1)))
    assert (clip.width, clip.height) == (128, 48)
    assert first_frame(clip).shape == (48, 128, 3)


def test_transparent_pixels_lie_over_black(tmp_path: Path) -> None:
    from hoifield.clip.video_stream import composite_over_black

    image = np.array([[[200, 100, 50, 255], [200, 100, 50, 0], [200, 100, 50, 128]]], np.uint8)
    assert composite_over_black(image).tolist() == [[[200, 100, 50], [0, 0, 0], [100, 50, 25]]]


def test_sound_longer_than_the_picture_is_no_loss(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv"):
        assert open_clip(write_video(tmp_path / name, audio_seconds=3.0)).frame_count == 60


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {}),
        ("first.mp4", {"container_options": {"movflags": "faststart"}}),
        ("parts.mp4", {"container_options": {"movflags": "frag_keyframe+empty_moov"}, "codec_options": {"g": "10"}}),
        ("a.mkv", {}),
        ("a.flv", {}),
        ("a.webm", {"codec": "libvpx-vp9"}),
        ("a.ts", {}),
    ],
)
def test_a_truncated_file_is_never_a_shorter_clip(tmp_path: Path, name: str, options: dict[str, dict[str, str]]) -> None:
    whole = write_video(tmp_path / name, **options).read_bytes()
    cut = tmp_path / f"cut-{name}"
    shorter = 0
    for length in random.Random(1).sample(range(64, len(whole) - 40), 25):
        # A transport stream has no length of its own: a cut between two packets leaves a whole, shorter stream.
        cut.write_bytes(whole[: length + (length % 188 == 0)])
        try:
            assert open_clip(cut).frame_count >= 58
        except RefusedInput as refusal:
            shorter += refusal.code == "HF-VID-003"
            assert refusal.exit_code == 65
    assert shorter > 15


def test_the_refusal_of_a_truncated_file_names_the_figures(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", codec_options={"g": "1", "crf": "1"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(RefusedInput, match=r"HF-VID-003: decoded \d+ of about (59|60|61) frames"):
        open_clip(path)


def test_damage_inside_a_file_is_a_typed_refusal_or_no_loss(tmp_path: Path) -> None:
    generator = random.Random(2)
    refused = 0
    for name in ("a.mp4", "a.mkv", "a.avi"):
        whole = write_video(tmp_path / name).read_bytes()
        for kind in ("flip", "zero", "drop"):
            for _ in range(8):
                damaged = bytearray(whole)
                start = generator.randrange(len(whole))
                if kind == "flip":
                    damaged[start] ^= 1 << generator.randrange(8)
                elif kind == "zero":
                    damaged[start : start + 300] = bytes(len(damaged[start : start + 300]))
                else:
                    del damaged[start : start + 300]
                (tmp_path / "damaged").write_bytes(damaged)
                try:
                    clip = open_clip(tmp_path / "damaged")
                    assert clip.frame_count >= 58
                    assert sum(1 for _ in clip.read_frames()) == clip.frame_count
                except HoifieldError as refusal:
                    refused += 1
                    assert refusal.exit_code == 65
    assert refused > 20


def write_text(path: Path) -> Path:
    path.write_text("a plain text, line after line\n" * 200)
    return path


def write_playlist(path: Path) -> Path:
    write_video(path.parent / "part.ts")
    path.write_text("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\npart.ts\n#EXT-X-ENDLIST\n")
    return path


def write_concatenation(path: Path) -> Path:
    write_video(path.parent / "part.mp4")
    path.write_text("ffconcat version 1.0\nfile part.mp4\n")
    return path


def make_empty_folder(path: Path) -> Path:
    path.mkdir()
    (path / "notes.txt").write_text("no image")
    return path


def make_pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def make_socket(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    return path


ODD_FILES = [
    ("gone.mp4", lambda path: path, "HF-VID-001", 66),
    ("pipe.mp4", make_pipe, "HF-VID-002", 65),
    ("empty.mp4", lambda path: (path.touch(), path)[1], "HF-VID-004", 65),
    ("text.mp4", write_text, "HF-VID-005", 65),
    ("text.txt", write_text, "HF-VID-005", 65),
    ("list.mp4", write_playlist, "HF-VID-005", 65),
    ("list.m3u8", write_playlist, "HF-VID-005", 65),
    ("joined.mp4", write_concatenation, "HF-VID-005", 65),
    ("sound.mp4", write_sound_only, "HF-VID-006", 65),
    ("folder", make_empty_folder, "HF-VID-007", 65),
    ("short.mp4", lambda path: write_video(path, frames=7), "HF-VID-009", 65),
    ("long.mkv", lambda path: write_video(path, frames=5001, size=(16, 16), codec="rawvideo"), "HF-VID-010", 65),
    ("nul\0byte.mp4", lambda path: path, "HF-VID-001", 66),
    ("x" * 300 + ".mp4", lambda path: path, "HF-VID-001", 66),
]


@pytest.mark.parametrize(("name", "make", "code", "status"), ODD_FILES, ids=[str(number) for number in range(len(ODD_FILES))])
def test_an_odd_file_gets_its_own_code(tmp_path: Path, name, make, code: str, status: int) -> None:
    with pytest.raises(HoifieldError) as refusal:
        open_clip(make(tmp_path / name))
    assert (refusal.value.code, refusal.value.exit_code) == (code, status)
    assert refusal.value.remedy


def test_devices_sockets_and_addresses_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (Path("/dev/null"), make_socket(Path("s")), Path("https://example.com/a.mp4"), Path("rtsp://localhost/a")):
        with pytest.raises(RefusedInput, match="HF-VID-002"):
            open_clip(path)


def test_a_frame_size_beyond_the_limit_is_refused_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "a.mp4", frames=8)
    monkeypatch.setattr("hoifield.clip.video_stream.LARGEST_PIXELS", 64 * 48 - 1)
    with pytest.raises(RefusedInput, match="HF-VID-011.*64x48"):
        open_clip(path)
    monkeypatch.setattr("hoifield.clip.video_stream.LARGEST_PIXELS", 64 * 48)
    assert open_clip(path).frame_count == 8


def test_a_header_that_claims_a_giant_frame_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", codec="rawvideo", pixels="bgr24", frames=8, size=(16, 16))
    content = bytearray(path.read_bytes())
    place = content.index(b"strf") + 8
    content[place + 4 : place + 12] = (65535).to_bytes(4, "little") * 2
    path.write_bytes(content)
    with pytest.raises(RefusedInput):
        open_clip(path)


def test_hostile_names_are_only_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content = write_video(tmp_path / "plain.mp4", frames=8).read_bytes()
    names = ["with space.mp4", "line\nbreak.mp4", "-i.mp4", "$(touch canary).mp4", "héllo ☃\u202e.mp4", "a%03d.mp4", "concat:x|y.mp4",
             "';--.mp4", "\udcff\udcfe.mp4", "<b>x.mp4", "a" * 240 + ".mp4"]  # fmt: skip
    before = set(tmp_path.iterdir())
    for name in names:
        Path(name).write_bytes(content)
        clip = open_clip(Path(name))
        assert clip.frame_count == 8
        assert sum(1 for _ in clip.read_frames()) == 8
        assert clip.name
        assert set(clip.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_")
        assert len(clip.name) <= 60
        Path(name).unlink()
    assert set(tmp_path.iterdir()) == before


def test_names_stay_recognisable() -> None:
    assert name_clip(Path("My Mug (take 2).MOV")) == "my-mug-take-2"
    assert name_clip(Path("☃.mp4")) == "clip"
    assert name_clip(Path("../..")) not in ("", ".", "..")


def test_the_digest_is_that_of_the_content(tmp_path: Path) -> None:
    first = open_clip(write_video(tmp_path / "a.mp4", frames=8))
    copy = tmp_path / "b.mp4"
    copy.write_bytes((tmp_path / "a.mp4").read_bytes())
    assert open_clip(copy).sha256 == first.sha256
    assert open_clip(write_video(tmp_path / "a.mp4", frames=9)).sha256 != first.sha256


def test_the_decoder_may_use_several_threads(tmp_path: Path) -> None:
    with opened_video(write_video(tmp_path / "a.mp4", frames=8)) as (_, video):
        assert video.thread_type.name in ("AUTO", "FRAME|SLICE", "SLICE|FRAME")


def test_real_clips_open_with_their_known_sizes(real_data: Path) -> None:
    known = {
        "forehoi-wild1/wild1.mp4": (720, 1280, 170, 30.0),
        "forehoi-wild5/wild5.mp4": (720, 1280, 142, 30.0),
        "v2d-chord-human/human-web.mp4": (680, 468, 203, 10.0),
    }
    for name, (width, height, frames, rate) in known.items():
        clip = open_clip(real_data / name)
        assert (clip.width, clip.height, clip.frame_count) == (width, height, frames)
        assert clip.frames_per_second == pytest.approx(rate, rel=1e-3)
        assert clip.focal_from_metadata is None
