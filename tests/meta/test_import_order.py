"""A package imports only packages that come before it, so that each can be read knowing only those."""

from pathlib import Path

from source_files import PACKAGE, Source, imported_modules, read_sources, write_tree

ORDER = (
    "geometry",
    "actors",
    "fields",
    "runlog",
    "shapes",
    "priors",
    "clip",
    "observations",
    "scene",
    "renderer",
    "losses",
    "fitting",
    "result",
    "datasets",
    "evaluation",
    "synthetic",
    "report",
    "pipelines",
    "benchmark",
    "batch",
    "cli",
)
ROOT_FILES = ("__init__", "errors", "file_operations", "plain_pickle", "storage", "tensor_files")
"""Before every package. `__main__` starts the command line and comes last."""
STRANGERS = (("actors", "fields"), ("fields", "actors"))
"""Neither may import the other, whatever their order."""


def _place_of(name: str) -> int | None:
    """0 for root files, then the packages in order; None for what has no place yet."""
    if name in ROOT_FILES:
        return 0
    if name == "__main__":
        return len(ORDER) + 1
    return ORDER.index(name) + 1 if name in ORDER else None


def _unit_of(source: Source) -> str:
    return source.path.parts[0] if len(source.path.parts) > 1 else source.path.stem


def find_order_violations(folder: Path) -> list[str]:
    """One line per import against the order, and per file or package that the order does not name."""
    found = []
    for source in read_sources(folder):
        unit = _unit_of(source)
        place = _place_of(unit)
        if place is None:
            found.append(f"{source.path}: {unit} has no place in the order")
            continue
        for imported in imported_modules(source):
            parts = imported.module.split(".")
            if parts[0] != "hoifield" or len(parts) == 1:
                continue
            target = parts[1] if _place_of(parts[1]) is not None or (folder / parts[1]).exists() else "__init__"
            target_place = _place_of(target)
            forbidden = target_place is None or target_place > place or (unit, target) in STRANGERS
            if forbidden and target != unit:
                found.append(f"{source.path}:{imported.line}: {unit} imports {target}")
    return found


def test_every_package_imports_only_earlier_ones():
    assert find_order_violations(PACKAGE) == []


def test_every_package_of_the_order_exists():
    assert [name for name in ORDER if not (PACKAGE / name / "__init__.py").is_file()] == []


def test_the_check_finds_every_kind_of_violation(tmp_path):
    folder = write_tree(
        tmp_path,
        {
            "errors.py": "from hoifield.cli import main\n",
            "geometry/mesh.py": "import hoifield.errors\nimport hoifield.clip.clip\n",
            "actors/hand.py": "def load():\n    from hoifield import fields\n",
            "fields/field.py": "from hoifield.actors.hand import Hand\n",
            "clip/clip.py": "from ..scene import scene\n",
            "scene/scene.py": "import importlib\nimportlib.import_module('hoifield.losses.silhouette')\n",
            "report/page.py": "from hoifield.pipelines.fit_video import fit_video\n",
            "extra/new.py": "",
            "cli/main.py": "from hoifield import __version__\nfrom hoifield.pipelines.fit_video import fit_video\n",
            "__main__.py": "from hoifield.cli.main import main\n",
        },
    )
    assert find_order_violations(folder) == [
        "actors/hand.py:2: actors imports fields",
        "clip/clip.py:1: clip imports scene",
        "errors.py:1: errors imports cli",
        "extra/new.py: extra has no place in the order",
        "fields/field.py:1: fields imports actors",
        "geometry/mesh.py:2: geometry imports clip",
        "report/page.py:1: report imports pipelines",
        "scene/scene.py:2: scene imports losses",
    ]
