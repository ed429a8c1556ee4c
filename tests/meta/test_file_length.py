"""Files and functions stay short enough to be read in one go."""

import ast
from pathlib import Path

import pytest
from source_files import ROOT, read_sources, write_tree

MOST_FILE_LINES = 400
MOST_FUNCTION_LINES = 70
"""The house style asks for fewer than 60; a function that is one table or one class of handlers may pass it a little."""


def find_long_code(folder: Path) -> list[str]:
    """One line per file or function above its limit."""
    found = []
    for source in read_sources(folder):
        lines = len(source.text.splitlines())
        if lines > MOST_FILE_LINES:
            found.append(f"{source.path.as_posix()}: {lines} lines")
        for node in ast.walk(source.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                length = node.end_lineno - node.lineno + 1
                if length > MOST_FUNCTION_LINES:
                    found.append(f"{source.path.as_posix()}:{node.lineno}: {node.name}, {length} lines")
    return found


@pytest.mark.parametrize("folder", ["hoifield", "tests", "experiments", "docs", "docker"])
def test_files_and_functions_are_short(folder):
    assert find_long_code(ROOT / folder) == []


def test_the_check_measures_both(tmp_path):
    folder = write_tree(
        tmp_path,
        {
            "file_at_limit.py": "x = 1\n" * 400,
            "file_above.py": "x = 1\n" * 401,
            "at_limit.py": "def f():\n" + "    x = 1\n" * 69,
            "above.py": "class A:\n    def f(self):\n" + "        x = 1\n" * 70,
        },
    )
    assert find_long_code(folder) == ["above.py:2: f, 71 lines", "file_above.py: 401 lines"]
