"""The sources that the meta-tests read, and what they import; nothing is executed."""

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "hoifield"


@dataclass(frozen=True)
class Source:
    """One Python file, parsed."""

    path: Path
    """Relative to the folder that was searched."""
    text: str
    tree: ast.Module


@dataclass(frozen=True)
class ImportedName:
    """One module that a file imports, anywhere in it, by statement or by a literal import_module."""

    module: str
    line: int


@functools.cache
def read_sources(folder: Path) -> tuple[Source, ...]:
    """Every Python file below `folder`, in order of its path; folders that start with a dot are left out."""
    paths = sorted(path for path in folder.rglob("*.py") if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    texts = [path.read_text(encoding="utf-8") for path in paths]
    return tuple(Source(path.relative_to(folder), text, ast.parse(text)) for path, text in zip(paths, texts))


def imported_modules(source: Source, package: str = "hoifield") -> Iterator[ImportedName]:
    """Full names of imported modules; `from a import b` gives a.b, because b may be a module. Relative imports are resolved."""
    for node in ast.walk(source.tree):
        match node:
            case ast.Import(names=names):
                yield from (ImportedName(alias.name, node.lineno) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                parts = [package, *source.path.parent.parts][: len(source.path.parent.parts) + 2 - level] if level else []
                stem = ".".join([*parts, *([module] if module else [])])
                yield from (ImportedName(f"{stem}.{alias.name}", node.lineno) for alias in names)
            case ast.Call(func=function, args=[ast.Constant(value=str(name)), *_]) if called_name(function) in ("import_module", "__import__"):
                yield ImportedName(name, node.lineno)


def called_name(function: ast.expr) -> str:
    """Last part of the name of what is called: `load` for torch.load; empty where it has none."""
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def dotted_name(expression: ast.expr) -> str:
    """`torch.load` for that attribute; empty for anything but names and attributes."""
    match expression:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            return f"{dotted_name(value)}.{attribute}"
        case _:
            return ""


def write_tree(folder: Path, files: dict[str, str]) -> Path:
    """A tree of small files, for negative controls."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder
