"""Where the two networks of the hand tracker lie: found without importing the package that carries them, or fetched."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from hoifield.errors import MissingDependency, RefusedInput
from hoifield.storage import cache_folder, write_file

WHEEL = "mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl"
WHEEL_SHA256 = "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"
PALM_FILE = "palm_detection_full.tflite"
PALM_SHA256 = "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54"
LANDMARK_FILE = "hand_landmark_full.tflite"
LANDMARK_SHA256 = "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3"
WHEEL_MEMBERS = {
    PALM_FILE: f"mediapipe/modules/palm_detection/{PALM_FILE}",
    LANDMARK_FILE: f"mediapipe/modules/hand_landmark/{LANDMARK_FILE}",
}
REMEDY = "run `hoifield doctor --install hand-tracker`, or `pip install --no-deps mediapipe==0.10.21` (Python 3.11 or 3.12)"


@dataclass(frozen=True)
class HandTrackerFiles:
    """The two network files."""

    palm: Path
    landmark: Path

    def verify(self) -> None:
        """Nothing, where both files carry the known sums; else RefusedInput HF-HND-003."""
        for path, expected in ((self.palm, PALM_SHA256), (self.landmark, LANDMARK_SHA256)):
            found = hashlib.sha256(path.read_bytes()).hexdigest()
            if found != expected:
                raise RefusedInput("HF-HND-003", f"{path.name} has sha256 {found[:12]}…, expected {expected[:12]}…", REMEDY)


def find_hand_tracker() -> HandTrackerFiles:
    """The first place that holds both files: HOIFIELD_HAND_TRACKER (a folder), the cache, an installed mediapipe (never imported).

    Raises MissingDependency HF-HND-001 where there is none.
    """
    named = os.environ.get("HOIFIELD_HAND_TRACKER")
    folders = [Path(named)] if named else [_tracker_cache()]
    candidates = [HandTrackerFiles(folder / PALM_FILE, folder / LANDMARK_FILE) for folder in folders]
    package = None if named else find_spec("mediapipe")
    if package is not None and package.origin is not None:
        site = Path(package.origin).parent.parent
        candidates.append(HandTrackerFiles(site / WHEEL_MEMBERS[PALM_FILE], site / WHEEL_MEMBERS[LANDMARK_FILE]))
    for files in candidates:
        if files.palm.is_file() and files.landmark.is_file():
            return files
    looked = " and ".join(str(files.palm.parent) for files in candidates)
    raise MissingDependency("HF-HND-001", f"the two hand networks are in none of {len(candidates)} places looked at ({looked})", REMEDY)


def fetch_hand_tracker() -> HandTrackerFiles:
    """The two files in the cache, out of the mediapipe 0.10.21 wheel (36 MB) that pip downloads; nothing is installed.

    Raises MissingDependency HF-HND-002 where pip cannot download it, RefusedInput HF-HND-003 where a sum is wrong.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--python-version", "3.11"]
        command += ["--platform", "manylinux_2_28_x86_64", "--dest", folder, "mediapipe==0.10.21"]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        wheel = Path(folder) / WHEEL
        if finished.returncode != 0 or not wheel.is_file():
            lines = [line for line in finished.stderr.splitlines() if line.strip()]
            reason = lines[-1] if lines else "no message"
            remedy = f"check the network and that pip is installed, or copy {PALM_FILE} and {LANDMARK_FILE} to {_tracker_cache()}"
            raise MissingDependency("HF-HND-002", f"pip download ended with {finished.returncode}: {reason}", remedy)
        return unpack_hand_tracker(wheel, _tracker_cache())


def unpack_hand_tracker(wheel: Path, folder: Path) -> HandTrackerFiles:
    """The two files of a downloaded wheel, written whole into `folder`; RefusedInput HF-HND-003 where a sum is wrong."""
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        raise RefusedInput("HF-HND-003", f"{wheel.name} has sha256 {found[:12]}…, expected {WHEEL_SHA256[:12]}…", "download it again")
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for name, member in WHEEL_MEMBERS.items():
            write_file(folder / name, archive.read(member))
    files = HandTrackerFiles(folder / PALM_FILE, folder / LANDMARK_FILE)
    files.verify()
    return files


def _tracker_cache() -> Path:
    return cache_folder() / "hand-tracker"
