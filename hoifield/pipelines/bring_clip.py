"""The clip that a user names: a video, a folder of pictures, or the folder that HOLD's users have."""

from dataclasses import dataclass
from pathlib import Path

from hoifield.clip.open_clip import name_clip
from hoifield.datasets.hold_build import bring_hold_build, find_hold_build


@dataclass(frozen=True)
class NamedClip:
    """Where the clip lies, what it is called, and what comes with it."""

    video: Path
    name: str
    masks: Path | None
    intrinsics: str | None


def bring_clip(video: Path, masks: Path | None, intrinsics: str | None) -> NamedClip:
    """What to fit. HOLD's build folder brings its pictures, masks and camera; masks and intrinsics that the user names go before.

    Raises RefusedInput (HF-SET-020, -021) for a build folder that cannot be read; any other path is taken as it is.
    """
    build = find_hold_build(video)
    if build is None:
        return NamedClip(video, name_clip(video), masks, intrinsics)
    brought = bring_hold_build(build)
    name = name_clip(build.resolve().parent if build.name == "build" else build)
    return NamedClip(brought.video, name, masks or brought.masks, intrinsics or brought.intrinsics)
