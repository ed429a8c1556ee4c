"""What a result depends on besides its input and seed: package versions. No host or user names."""

import importlib.metadata
import platform

import hoifield

_PACKAGES = (
    "ai-edge-litert", "av", "manifold3d", "numba", "numpy", "opencv-python-headless", "pillow", "pycolmap", "safetensors",
    "scikit-image", "scikit-learn", "scipy", "torch", "trimesh", "wandb",
)  # fmt: skip


def package_versions() -> dict[str, str]:
    """Versions of hoifield, Python and the installed packages that results depend on, by distribution name."""
    versions = {"hoifield": hoifield.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
