"""Streaming the frames of a clip: upright, in order, one at a time."""

from collections.abc import Iterator, Sequence

import av.error
import cv2
import numpy as np
from jaxtyping import UInt8

from hoifield.clip.clip import Clip
from hoifield.clip.image_folder import list_images, read_image
from hoifield.clip.video_stream import Orientation, opened_video, orientation_of, upright_rgb
from hoifield.errors import InternalError, RefusedInput


def stream_frames(
    clip: Clip, frames: Sequence[int] | None = None, size: tuple[int, int] | None = None
) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"]]]:
    """(frame number, RGB) of the asked frames (ascending; all when None), at `size` = (width, height) or the clip's own size.

    One frame is held at a time, whatever the length of the clip. Shrinking averages areas. The numbers are those of `clip.time_s`.
    Raises InternalError HF-VID-014 for frames that the clip does not have or that do not ascend, RefusedInput HF-VID-003 when the
    file changed since it was opened.
    """
    wanted = list(range(clip.frame_count)) if frames is None else [int(frame) for frame in frames]
    ascending = all(later > earlier for earlier, later in zip(wanted, wanted[1:], strict=False))
    if wanted and (not ascending or wanted[0] < 0 or wanted[-1] >= clip.frame_count):
        cause = f"frames {wanted[0]}..{wanted[-1]} were asked of a clip with {clip.frame_count} frames, in ascending order: {ascending}"
        raise InternalError("HF-VID-014", cause, "report this")
    target = size or (clip.width, clip.height)
    match clip.kind:
        case "images":
            return _stream_images(clip, wanted, target)
        case "video":
            return _stream_video(clip, wanted, target)


def _stream_images(clip: Clip, wanted: list[int], size: tuple[int, int]) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"]]]:
    """The asked images of a folder."""
    images = list_images(clip.path)
    if len(images) != clip.frame_count:
        raise _changed(clip, len(images))
    for number in wanted:
        yield number, _resized(read_image(images[number]), size)


def _stream_video(clip: Clip, wanted: list[int], size: tuple[int, int]) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"]]]:
    """Decodes from the start to the last asked frame; frames in between are decoded but not converted."""
    if not wanted:
        return
    remaining = iter(wanted)
    next_wanted = next(remaining)
    decoded = 0
    orientation: Orientation | None = None
    with opened_video(clip.path) as (container, video):
        try:
            for frame in container.decode(video):
                if decoded == next_wanted:
                    orientation = orientation or orientation_of(frame)
                    yield next_wanted, _resized(upright_rgb(frame, orientation), size)
                    following = next(remaining, None)
                    if following is None:
                        return
                    next_wanted = following
                decoded += 1
        except av.error.FFmpegError as error:
            raise _changed(clip, decoded) from error
    raise _changed(clip, decoded)


def _resized(image: UInt8[np.ndarray, "height width 3"], size: tuple[int, int]) -> UInt8[np.ndarray, "height width 3"]:
    """The image at `size` = (width, height): areas averaged when shrinking, linear when growing."""
    if (image.shape[1], image.shape[0]) == size:
        return image
    growing = size[0] > image.shape[1] or size[1] > image.shape[0]
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR if growing else cv2.INTER_AREA))


def _changed(clip: Clip, found: int) -> RefusedInput:
    """The refusal for a file that no longer delivers the frames counted when it was opened."""
    cause = f"{str(clip.path)!r} delivers {found} frames now and had {clip.frame_count} when it was opened"
    return RefusedInput("HF-VID-003", cause, "leave the clip unchanged while it is in use, then run the same command again")
