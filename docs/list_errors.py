"""Writes docs/errors.md: every error code of the package with its exit code, causes and remedies, read from the source.

`python docs/list_errors.py` writes the page; a test checks that it lists every code, and that each code has one meaning.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hoifield import errors

ROOT = Path(__file__).resolve().parents[1]
CODE = re.compile(r"HF-[A-Z]{3}-\d{3}")
AREAS = {
    "ACT": "Hand models",
    "BAT": "Many clips",
    "BEN": "Benchmark",
    "CAM": "Camera",
    "CFG": "Options",
    "DEP": "Measured depth",
    "DEV": "Devices",
    "EVA": "Evaluation",
    "EXP": "Export",
    "FIT": "Fit",
    "FLD": "Fields",
    "GEO": "Geometry",
    "HND": "Hand tracker",
    "INT": "Internal",
    "MSK": "Masks",
    "NET": "Taught networks",
    "OBS": "Saved observations",
    "OUT": "Files and folders written",
    "OVL": "Overlay video",
    "PRI": "Geometry prior",
    "QLT": "Quality of a finished fit",
    "RDY": "Readiness of a clip",
    "REP": "Report",
    "RES": "Results and meshes read",
    "RUN": "Run folder",
    "SCN": "Scene",
    "SET": "Data sets and other programs' folders",
    "SYN": "Generated clips",
    "TRN": "Training",
    "VID": "Clips",
    "VIE": "Viewer",
}
NOTE = "note"
"""Kind of a code that stands in `reasons` and raises nothing."""
PRINTED = "printed"
"""Kind of a code that the command line prints for an error that is not the package's own."""


@dataclass(frozen=True)
class Mention:
    """One place that uses a code."""

    code: str
    kind: str
    """Name of the error class, NOTE or PRINTED."""
    cause: str
    remedy: str
    place: str


def collect_mentions(package: Path) -> list[Mention]:
    """Every use of a code outside docstrings and comments, by file and line."""
    found = []
    for path in sorted(package.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if CODE.search(text):
            tree = ast.parse(text)
            for scope, node in _calls(tree):
                place = f"{path.relative_to(package).as_posix()}:{node.lineno}"
                found += [Mention(*parts, place) for parts in _parts_of(node, tree, scope)]
    return found


def _calls(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.Call | ast.Tuple]]:
    """Every call and tuple with the innermost function around it, each once."""
    pending: list[tuple[ast.AST, ast.AST]] = [(tree, tree)]
    while pending:
        scope, node = pending.pop()
        if isinstance(node, ast.Call | ast.Tuple):
            yield scope, node
        inner = node if isinstance(node, ast.FunctionDef) else scope
        pending += [(inner, child) for child in reversed(list(ast.iter_child_nodes(node)))]


def _parts_of(node: ast.Call | ast.Tuple, tree: ast.Module, scope: ast.AST) -> Iterator[tuple[str, str, str, str]]:
    """(code, kind, cause, remedy) of a call that raises, notes or prints a code, or of a tuple that carries one to such a call."""
    values = node.elts if isinstance(node, ast.Tuple) else node.args
    if not any(isinstance(value, ast.Constant | ast.JoinedStr | ast.Name) for value in values):
        return
    assigned = _last_assigned(tree, scope, node.lineno)
    for position, value in enumerate(values):
        text = _text_of(value, assigned)
        if CODE.fullmatch(text):
            name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else NOTE
            rest = [*values[position + 1 :], *(keyword.value for keyword in getattr(node, "keywords", []))]
            cause, remedy = [*(_text_of(each, assigned) for each in rest[:2]), "", ""][:2]
            if isinstance(getattr(errors, name, None), type):
                yield text, name, cause, remedy
            else:
                yield text, NOTE, cause if isinstance(node, ast.Call) else _text_beside_variable_code(scope), ""
        elif isinstance(node, ast.Call) and CODE.match(text):
            lines = text.strip().split("\n  try: ")
            yield text[:10], PRINTED, lines[0][12:], lines[1] if len(lines) > 1 else ""


def _text_beside_variable_code(scope: ast.AST) -> str:
    """The message of the call Reason(code, message) in the scope whose code is a variable."""
    for node in ast.walk(scope):
        match node:
            case ast.Call(func=ast.Name(id="Reason"), args=[ast.Name(), message, *_]):
                return _text_of(message, {})
    return ""


def _last_assigned(tree: ast.Module, scope: ast.AST, line: int) -> dict[str, ast.expr]:
    """Names -> what was last assigned to them above a line of the scope, else at the top of the file."""
    above = [] if scope is tree else [node for node in ast.walk(scope) if isinstance(node, ast.Assign) and node.lineno <= line]
    assignments = [*(node for node in tree.body if isinstance(node, ast.Assign)), *sorted(above, key=lambda node: node.lineno)]
    return {target.id: node.value for node in assignments for target in node.targets if isinstance(target, ast.Name)}


def _text_of(value: ast.expr, assigned: dict[str, ast.expr]) -> str:
    """A string expression as words, with an ellipsis for what is filled in; empty for what is no text."""
    match value:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text_of(part, {}) or "…" for part in parts)
        case ast.Name(id=name) if name in assigned:
            return _text_of(assigned[name], {})
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return (_text_of(left, assigned) or "…") + (_text_of(right, assigned) or "…")
        case ast.IfExp(body=first, orelse=second):
            return " / ".join(filter(None, (_text_of(first, assigned), _text_of(second, assigned))))
        case _:
            return ""


def find_double_meanings(mentions: list[Mention]) -> list[str]:
    """Codes that more than one class of error carries: one line each."""
    kinds: dict[str, dict[str, str]] = {}
    for mention in mentions:
        kinds.setdefault(mention.code, {}).setdefault(mention.kind, mention.place)
    return [
        f"{code}: {', '.join(f'{kind} ({place})' for kind, place in sorted(found.items()))}"
        for code, found in sorted(kinds.items())
        if len(found) > 1
    ]


def render_page(mentions: list[Mention]) -> str:
    """The page in Markdown."""
    lines = [
        "# Error codes",
        "",
        "Written by `python docs/list_errors.py` from the source. An error prints its code, its cause with the number measured (here …) and one",
        "thing to try. Exit code `–`: a reason in `result.json` or `readiness.json`; it raises nothing by itself.",
    ]
    for area in sorted({mention.code[3:6] for mention in mentions}):
        lines += ["", f"## {area}: {AREAS.get(area, area)}", "", "| code | exit | cause | try |", "|---|---|---|---|"]
        for code in sorted({mention.code for mention in mentions if mention.code[3:6] == area}):
            lines.append(_row(code, [mention for mention in mentions if mention.code == code]))
    return "\n".join(lines) + "\n"


def _row(code: str, mentions: list[Mention]) -> str:
    kinds = {mention.kind for mention in mentions}
    exits = sorted(
        {str(getattr(errors, kind).exit_code) if kind not in (NOTE, PRINTED) else "–" if kind == NOTE else _printed_exit(code) for kind in kinds}
    )
    return f"| {code} | {', '.join(exits)} | {_cell(mention.cause for mention in mentions)} | {_cell(mention.remedy for mention in mentions)} |"


def _printed_exit(code: str) -> str:
    """The exit code that the command line returns right after it prints `code`."""
    source = (ROOT / "hoifield" / "cli" / "main.py").read_text(encoding="utf-8")
    found = re.search(rf"{code}.*?return ExitCode\.(\w+)", source, re.DOTALL)
    return str(getattr(errors.ExitCode, found[1])) if found else "?"


def _cell(texts: Iterator[str]) -> str:
    parts = dict.fromkeys(" ".join(text.split()).replace("|", "\\|") for text in texts if text)
    return "; ".join(parts)


if __name__ == "__main__":
    (ROOT / "docs" / "errors.md").write_text(render_page(collect_mentions(ROOT / "hoifield")), encoding="utf-8")
