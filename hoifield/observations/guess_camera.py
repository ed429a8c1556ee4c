"""The camera of a clip: as given, else from its metadata, else a guess that says so."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np

from hoifield.clip.clip import Clip
from hoifield.errors import ConfigurationError
from hoifield.geometry.cameras import Camera

CameraSource = Literal["given", "metadata", "guess"]
GUESSED_FOCAL = 0.95
"""Share of the picture's longer side; the main cameras of phones in video mode lie between 0.8 and 1.2."""
REMEDY = "give FX,FY,CX,CY in pixels of the upright clip, or a JSON or text file with these four numbers or the 3x3 matrix"


def guess_camera(clip: Clip, given: str | None) -> tuple[Camera, CameraSource]:
    """Camera in pixels of the clip, and where it comes from.

    `given` is "FX,FY,CX,CY" or the path of a JSON or text file with four numbers or a 3x3 matrix. A guessed focal length leaves
    every depth known up to one factor. Raises ConfigurationError HF-CAM-001 for values that are no camera of this clip.
    """
    if given is not None:
        return _given_camera(clip, given), "given"
    if clip.focal_from_metadata is not None:
        return Camera.from_focal(clip.focal_from_metadata, clip.width, clip.height), "metadata"
    return Camera.from_focal(GUESSED_FOCAL * max(clip.width, clip.height), clip.width, clip.height), "guess"


def _given_camera(clip: Clip, given: str) -> Camera:
    path = Path(given)
    numbers = _numbers_of_file(path) if path.is_file() else _numbers_of_text(given)
    if len(numbers) == 9:
        K = np.array(numbers).reshape(3, 3)
        if not np.allclose(K[[1, 2, 2], [0, 0, 1]], 0) or not np.isclose(K[2, 2], 1):
            raise ConfigurationError("HF-CAM-001", f"{given} is not an intrinsic matrix: its last row is {K[2].tolist()}", REMEDY)
        if abs(K[0, 1]) > 1e-3 * abs(K[0, 0]):
            raise ConfigurationError("HF-CAM-001", f"the matrix has skew {K[0, 1]:g}, which is not supported", REMEDY)
        numbers = [K[0, 0], K[1, 1], K[0, 2], K[1, 2]]
    if len(numbers) != 4:
        raise ConfigurationError("HF-CAM-001", f"the intrinsics {given!r} hold {len(numbers)} numbers instead of 4 or 9", REMEDY)
    focal_x, focal_y, centre_x, centre_y = numbers
    longer = max(clip.width, clip.height)
    if not all(0.2 * longer <= focal <= 20 * longer for focal in (focal_x, focal_y)):
        cause = f"focal lengths {focal_x:g} and {focal_y:g} px are no camera of a clip of {clip.width}x{clip.height}"
        raise ConfigurationError("HF-CAM-001", cause, REMEDY)
    if not (0 <= centre_x <= clip.width and 0 <= centre_y <= clip.height):
        cause = f"the principal point ({centre_x:g}, {centre_y:g}) lies outside the clip of {clip.width}x{clip.height}"
        raise ConfigurationError("HF-CAM-001", cause, REMEDY)
    K = np.array([[focal_x, 0.0, centre_x], [0.0, focal_y, centre_y], [0.0, 0.0, 1.0]])
    return Camera(K=K, width=clip.width, height=clip.height)


def _numbers_of_text(text: str) -> list[float]:
    words = text.replace(",", " ").replace(";", " ").split()
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise ConfigurationError("HF-CAM-001", f"{text[:60]!r} is neither a file nor numbers ({error})", REMEDY) from error
    if not np.isfinite(numbers).all():
        raise ConfigurationError("HF-CAM-001", f"the intrinsics {text[:60]!r} are not all finite", REMEDY)
    return numbers


def _numbers_of_file(path: Path) -> list[float]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError("HF-CAM-001", f"{path} cannot be read as text ({error})", REMEDY) from error
    if path.suffix.lower() != ".json":
        return _numbers_of_text(text)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError("HF-CAM-001", f"{path} is not JSON ({error})", REMEDY) from error
    if isinstance(content, dict):
        named = [content.get(key) for key in ("fx", "fy", "cx", "cy")]
        content = content["K"] if "K" in content else named
    return _numbers_of_text(" ".join(str(value) for value in _flatten(content)))


def _flatten(content: object) -> Iterable[object]:
    if isinstance(content, list):
        for item in content:
            yield from _flatten(item)
    else:
        yield content
