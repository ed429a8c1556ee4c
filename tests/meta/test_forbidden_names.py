"""Names that say nothing, and calls that execute what they read."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from source_files import PACKAGE, ROOT, Source, dotted_name, imported_modules, read_sources, write_tree

EMPTY_NAMES = {"utils", "util", "misc", "helpers", "helper", "common", "base", "tools", "core", "stuff"}
EMPTY_PREFIXES = re.compile(r"_*(get|process|handle)_")
EXECUTING_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
PICKLE_READER = "plain_pickle.py"
"""The one file that may import pickle: it takes a stream apart and executes nothing from it."""
EXECUTING_CALLS = {"eval", "exec", "os.system", "os.popen", "torch.load", "yaml.load", "yaml.unsafe_load"}


def find_bad_names(folder: Path) -> list[str]:
    """Files, folders and functions whose names say nothing."""
    found = []
    for source in read_sources(folder):
        found += [f"{source.path.as_posix()}: {part}" for part in (*source.path.parent.parts, source.path.stem) if part.lower() in EMPTY_NAMES]
        found += [f"{source.path.as_posix()}:{node.lineno}: {node.name}" for node in _own_functions(source.tree) if EMPTY_PREFIXES.match(node.name)]
    return found


def _own_functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Functions whose names were chosen here: methods of derived classes and protocols carry names that another library fixed."""
    derived = {id(member) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.bases for member in node.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and id(node) not in derived:
            yield node


def find_bad_calls(folder: Path) -> list[str]:
    """Everything that would execute what it reads, printing below the command line, and handlers that swallow everything."""
    return [line for source in read_sources(folder) for line in _bad_calls(source)]


def _bad_calls(source: Source) -> list[str]:
    name = source.path.as_posix()
    found = [
        f"{name}:{imported.line}: import {imported.module}"
        for imported in imported_modules(source)
        if imported.module.split(".")[0] in EXECUTING_MODULES and name != PICKLE_READER
    ]
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            called = dotted_name(node.func)
            if called in EXECUTING_CALLS or (called == "print" and source.path.parts[0] != "cli"):
                found.append(f"{name}:{node.lineno}: {called}()")
            for keyword in node.keywords:
                if keyword.arg in ("shell", "allow_pickle") and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False):
                    found.append(f"{name}:{node.lineno}: {keyword.arg}=")
        elif isinstance(node, ast.ExceptHandler):
            silent = all(isinstance(statement, ast.Pass) for statement in node.body)
            if node.type is None or (dotted_name(node.type) in ("Exception", "BaseException") and silent):
                found.append(f"{name}:{node.lineno}: except that swallows everything")
    return found


@pytest.mark.parametrize("folder", ["hoifield", "tests", "experiments", "docs"])
def test_names_say_something(folder):
    assert find_bad_names(ROOT / folder) == []


def test_nothing_executes_what_it_reads_and_only_the_command_line_prints():
    assert find_bad_calls(PACKAGE) == []


def test_the_checks_find_each_kind_of_violation(tmp_path):
    folder = write_tree(
        tmp_path,
        {
            "plain_pickle.py": "import pickle\n",
            "cli/main.py": "print(1)\n",
            "clip/utils.py": "import pickle\nimport torch\ntorch.load('x')\n",
            "core/a.py": "def get_mesh():\n    print(eval('1'))\n\n\nclass Reader(Parser):\n    def get_name(self): ...\n",
            "scene/b.py": "import numpy as np\nnp.load('x', allow_pickle=True)\nnp.load('x', allow_pickle=False)\n",
            "scene/c.py": "import subprocess\nsubprocess.run('ls', shell=True)\ntry:\n    pass\nexcept Exception:\n    pass\n",
        },
    )
    assert find_bad_names(folder) == ["clip/utils.py: utils", "core/a.py: core", "core/a.py:1: get_mesh"]
    assert sorted(find_bad_calls(folder)) == [
        "clip/utils.py:1: import pickle",
        "clip/utils.py:3: torch.load()",
        "core/a.py:2: eval()",
        "core/a.py:2: print()",
        "scene/b.py:2: allow_pickle=",
        "scene/c.py:2: shell=",
        "scene/c.py:5: except that swallows everything",
    ]
