"""The plain part of YAML that calibration files use: mappings and lists of numbers and words, nested by indentation."""

import re
from typing import Any

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_ENTRY = re.compile(r"('[^']*'|\"[^\"]*\"|[^\s:\[\]{}#&*!|>'\"-][^:#]*?)\s*:(?:\s+(.*))?")


def parse_plain_yaml(text: str) -> dict[str, Any]:
    """The mapping of a YAML document. Raises ValueError, naming the line, for anything beyond the plain part."""
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        content = re.sub(r"\s+#.*$", "", line).rstrip()
        if content.strip() and not content.lstrip().startswith("#") and content not in ("---", "..."):
            if "\t" in content[: len(content) - len(content.lstrip())]:
                raise ValueError(f"line {number} is indented with a tab")
            lines.append((number, len(content) - len(content.lstrip()), content.strip()))
    lines = _joined_flow_lists(lines)
    parsed, rest = _parse_block(lines, 0, lines[0][1] if lines else 0)
    if rest != len(lines) or not isinstance(parsed, dict):
        raise ValueError(f"line {lines[rest][0] if rest < len(lines) else 1} is not part of a plain mapping")
    return parsed


Line = tuple[int, int, str]
"""Number, indentation, content."""


def _joined_flow_lists(lines: list[Line]) -> list[Line]:
    """Lists in brackets that run over several lines, on one line each."""
    joined: list[Line] = []
    for line in lines:
        if joined and joined[-1][2].count("[") > joined[-1][2].count("]"):
            number, indentation, content = joined[-1]
            joined[-1] = (number, indentation, f"{content} {line[2]}")
        else:
            joined.append(line)
    return joined


def _parse_block(lines: list[Line], start: int, indentation: int) -> tuple[Any, int]:
    """The mapping or list whose lines begin at `indentation`, and the index of the first line after it."""
    if start < len(lines) and (lines[start][2] == "-" or lines[start][2].startswith("- ")):
        return _parse_list(lines, start, indentation)
    mapping: dict[str, Any] = {}
    while start < len(lines) and lines[start][1] == indentation:
        number, _, content = lines[start]
        match = _ENTRY.fullmatch(content)
        if match is None:
            raise ValueError(f"line {number} is no entry of a plain mapping")
        key, value = str(_scalar(match[1], number, words_only=True)), match[2]
        start += 1
        if value:
            mapping[key] = _value(value, number)
        elif start < len(lines) and (lines[start][1] > indentation or (lines[start][1] == indentation and lines[start][2].startswith("-"))):
            mapping[key], start = _parse_block(lines, start, lines[start][1])
        else:
            mapping[key] = None
    return mapping, start


def _parse_list(lines: list[Line], start: int, indentation: int) -> tuple[list[Any], int]:
    """The list of values at `indentation`."""
    items: list[Any] = []
    while start < len(lines) and lines[start][1] == indentation and lines[start][2].startswith("- "):
        number, _, content = lines[start]
        items.append(_value(content[2:].strip(), number))
        start += 1
    return items, start


def _value(text: str, number: int) -> Any:
    """A scalar, or a list of scalars in brackets."""
    if text.startswith("[") and text.endswith("]"):
        inner = text[1:-1].strip().rstrip(",")
        return [_scalar(part.strip(), number) for part in inner.split(",")] if inner else []
    return _scalar(text, number)


def _scalar(text: str, number: int, words_only: bool = False) -> str | int | float | None:
    """A number, a word, or a quoted word."""
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    if not text or text[0] in "[]{}&*!|>%@`'\",?" or text.startswith("- "):
        raise ValueError(f"line {number} holds {text[:40]!r}, which is not a plain value")
    if text in ("null", "~"):
        return None
    if not words_only and _NUMBER.fullmatch(text):
        return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
    return text
