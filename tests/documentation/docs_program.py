"""A program of docs/ as a module: it lies outside of every package."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


def load_docs_program(name: str) -> ModuleType:
    """docs/NAME.py, not run as a program."""
    specification = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    # dataclasses look their module up while it is executed
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module
