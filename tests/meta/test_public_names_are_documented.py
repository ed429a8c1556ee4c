"""Every module, public function, class and method says what it gives; annotations stay real objects."""

import ast
from pathlib import Path

from source_files import PACKAGE, read_sources, write_tree


def find_undocumented(folder: Path) -> list[str]:
    """One line per module or public name without a docstring."""
    found = []
    for source in read_sources(folder):
        name = source.path.as_posix()
        if not ast.get_docstring(source.tree):
            found.append(f"{name}: module")
        found += [f"{name}: {public}" for public in _undocumented(source.tree.body, "")]
    return found


def _undocumented(body: list[ast.stmt], prefix: str) -> list[str]:
    found = []
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            if not ast.get_docstring(node):
                found.append(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                found += _undocumented(node.body, f"{prefix}{node.name}.")
    return found


def find_future_annotations(folder: Path) -> list[str]:
    """Files whose annotations are strings, which hides shapes from the checker at run time."""
    return [
        source.path.as_posix()
        for source in read_sources(folder)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
    ]


def test_every_public_name_is_documented():
    assert find_undocumented(PACKAGE) == []


def test_no_file_turns_annotations_into_strings():
    assert find_future_annotations(PACKAGE) == []


def test_the_checks_find_each_kind_of_violation(tmp_path):
    folder = write_tree(
        tmp_path,
        {
            "a.py": '"""Documented."""\nfrom __future__ import annotations\n\ndef _hidden(): ...\n\ndef shown(): ...\n',
            "b.py": 'class Thing:\n    """Documented."""\n    def method(self): ...\n    def __len__(self): ...\n',
        },
    )
    assert find_undocumented(folder) == ["a.py: shown", "b.py: module", "b.py: Thing.method"]
    assert find_future_annotations(folder) == ["a.py"]
