"""Folders of images as clips: natural order, EXIF orientation honoured, every picture decoded whole."""

import re
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
from jaxtyping import UInt8

from hoifield.clip.video_stream import composite_over_black, require_reasonable_size
from hoifield.errors import Locked, RefusedInput

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
ASSUMED_FRAMES_PER_SECOND = 30.0
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
_FOCAL_LENGTH_35MM_TAG = 0xA405
_EXIF_FOLDER_TAG = 0x8769
_DIAGONAL_35MM = float(np.hypot(36.0, 24.0))


def list_images(folder: Path) -> tuple[Path, ...]:
    """The images directly in `folder` in natural order (2 before 10), hidden files left out; RefusedInput HF-VID-007 for none."""
    try:
        entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except PermissionError as error:
        raise Locked("HF-VID-013", f"no permission to read {str(folder)!r}", "change the permissions of the folder") from error
    images = [path for path in entries if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
    if not images:
        cause = f"{str(folder)!r} holds no images among its {len(entries)} entries"
        raise RefusedInput("HF-VID-007", cause, f"name a video, or a folder of {', '.join(sorted(IMAGE_SUFFIXES))} files")
    return tuple(sorted(images, key=lambda path: (_natural_key(path.name), path.name)))


def read_image(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """One image as RGB, upright (EXIF orientation applied), 16 bit reduced to 8, transparent pixels over black.

    Raises RefusedInput HF-VID-003 for a truncated or damaged image, HF-VID-011 for one above 7680x4320.
    """
    try:
        with PIL.Image.open(path, formats=_FORMATS) as image:
            require_reasonable_size(path, *image.size)
            upright = PIL.ImageOps.exif_transpose(image)
            return _to_rgb(upright)
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        cause = f"the image {str(path)!r} is damaged or not an image: {error}"
        raise RefusedInput("HF-VID-003", cause, "copy the image again, or move it out of the folder") from error


def focal_from_exif(path: Path, width: int, height: int) -> float | None:
    """Focal length in pixels from EXIF FocalLengthIn35mmFilm (36x24 mm, by the diagonal), None where the file does not name it."""
    try:
        with PIL.Image.open(path, formats=_FORMATS) as image:
            named = image.getexif().get_ifd(_EXIF_FOLDER_TAG).get(_FOCAL_LENGTH_35MM_TAG)
    except (OSError, SyntaxError, ValueError):
        return None
    try:
        millimetres = float(named) if named is not None else 0.0
    except (TypeError, ValueError):
        return None
    if not 5.0 <= millimetres <= 1000.0:
        return None
    return millimetres * float(np.hypot(width, height)) / _DIAGONAL_35MM


def _to_rgb(image: PIL.Image.Image) -> UInt8[np.ndarray, "height width 3"]:
    """8-bit RGB of any mode that Pillow decodes."""
    if image.mode.startswith("I"):
        grey = np.clip(np.asarray(image).astype(np.int64) >> 8, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode == "F":
        raise ValueError("floating-point images have no defined brightness")
    if image.has_transparency_data:
        return composite_over_black(np.asarray(image.convert("RGBA")))
    return np.array(image.convert("RGB"))


def _natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Splits a name into words and numbers, numbers compared by value."""
    parts = re.split(r"([0-9]+)", name.lower())
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts if part)
