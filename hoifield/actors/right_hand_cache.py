"""Converted hands on disk, under the user's cache folder."""

import hashlib
import io
import logging
import zipfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import numpy as np

from hoifield.actors import assemble_model, mesh_boundary
from hoifield.actors.assemble_model import RightHand
from hoifield.storage import cache_folder, write_file

_log = logging.getLogger(__name__)


def cached_right_hand(name: str, converters: tuple[ModuleType, ...], convert: Callable[[], RightHand]) -> RightHand:
    """The hand cached under `name` and the digest of the converters' source; made by `convert` where it is absent or damaged."""
    digest = hashlib.sha256()
    for module in (assemble_model, mesh_boundary, *converters):
        digest.update(Path(str(module.__file__)).read_bytes())
    path = cache_folder() / "actors" / f"{name}-{digest.hexdigest()[:16]}.npz"
    if path.is_file():
        try:
            return _read_hand(path)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            _log.warning("the cached hand %s is damaged (%s); it is made again", path, error)
    hand = convert()
    content = io.BytesIO()
    arrays = {field.name: value for field in fields(RightHand) if (value := getattr(hand, field.name)) is not None}
    np.savez(content, allow_pickle=False, **arrays)
    write_file(path, content.getvalue())
    return hand


def _read_hand(path: Path) -> RightHand:
    with np.load(path, allow_pickle=False) as arrays:
        stored = {name: arrays[name] for name in arrays.files}
    required = {field.name for field in fields(RightHand)} - {"pose_directions"}
    if not required <= stored.keys():
        raise ValueError(f"no array {', '.join(sorted(required - stored.keys()))}")
    return RightHand(**stored)
