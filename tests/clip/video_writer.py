"""Small videos with known content, written for the tests: frame number in the brightness of one quarter, colours in the others."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8

RED, GREEN, BLUE = (220, 30, 30), (30, 200, 30), (30, 30, 220)


def draw_frame(number: int, width: int, height: int) -> UInt8[np.ndarray, "height width 3"]:
    """Red top left, green top right, blue bottom left, brightness 4 x number bottom right."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = RED
    image[: height // 2, width // 2 :] = GREEN
    image[height // 2 :, : width // 2] = BLUE
    image[height // 2 :, width // 2 :] = number * 4 % 256
    return image


def write_video(
    path: Path,
    *,
    frames: int = 60,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    stamps_ms: list[int] | None = None,
    rotation: int | None = None,
    mirrored: bool = False,
    codec_options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    container_format: str | None = None,
    audio_seconds: float = 0.0,
    shown_from: int = 0,
    pixel_aspect: Fraction | None = None,
) -> Path:
    """Writes the clip: 30 frames per second unless `stamps_ms`; frames before `shown_from` lie before time 0 (an edit list hides them)."""
    with av.open(str(path), "w", format=container_format, options=container_options or {}) as container:
        video = container.add_stream(codec, rate=30)
        video.width, video.height, video.pix_fmt = *size, pixels
        video.options = codec_options or {}
        if stamps_ms is not None:
            video.codec_context.time_base = Fraction(1, 1000)
        if rotation is not None or mirrored:
            video.set_display_rotation(rotation or 0, hflip=mirrored)
        if pixel_aspect is not None:
            video.codec_context.sample_aspect_ratio = pixel_aspect
        sound = container.add_stream("aac", rate=8000, layout="mono") if audio_seconds else None
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(draw_frame(number, *size), format="rgb24")
            if stamps_ms is not None:
                frame.pts, frame.time_base = stamps_ms[number], Fraction(1, 1000)
            elif shown_from:
                frame.pts, frame.time_base = number - shown_from, Fraction(1, 30)
            for packet in video.encode(frame):
                container.mux(packet)
        for packet in video.encode():
            container.mux(packet)
        if sound is not None:
            write_silence(container, sound, audio_seconds)
    return path


def write_silence(container: av.container.OutputContainer, sound: av.AudioStream, seconds: float) -> None:
    """Adds an audio track of that length."""
    for block in range(int(seconds * 8000) // 1024):
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate, silence.pts, silence.time_base = 8000, block * 1024, Fraction(1, 8000)
        for packet in sound.encode(silence):
            container.mux(packet)
    for packet in sound.encode():
        container.mux(packet)


def write_sound_only(path: Path) -> Path:
    """An audio file in a video container."""
    with av.open(str(path), "w") as container:
        write_silence(container, container.add_stream("aac", rate=8000, layout="mono"), 2.0)
    return path
