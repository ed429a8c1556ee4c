"""Runs the commands of docs/commands.md and writes what they print below them: `python docs/record_commands.py FOLDER`.

FOLDER is a new folder, in which the commands leave their files. Of lines that differ in numbers only, one after the other, the last is kept. A test
plays the same commands and compares.
"""

import argparse
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

PAGE = Path(__file__).resolve().parent / "commands.md"
BLOCK = re.compile(r"^```console(?P<how>[^\n]*)\n(?P<lines>.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"\b[0-9a-f]{10,12}\b|(?<![A-Za-z])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
"""Sums of files count as numbers."""
TOKEN = re.compile(r"(?<=/open/)[\w-]+")
PROMPT = "$ "
UNTIL_STOPPED = "until Ctrl-C"
"""How commands run that serve: once they say that Ctrl-C ends them, it does."""


@dataclass(frozen=True)
class Example:
    """A command of the page, and what is printed below it."""

    command: str
    how: str
    """What stands behind `console`: empty, 'recorded only', 'until Ctrl-C', or what it needs."""
    output: tuple[str, ...]
    """Both streams; the exit code in brackets at the end where it is not 0."""


def read_examples(text: str) -> list[Example]:
    """The commands of a page, in order."""
    examples = []
    for block in BLOCK.finditer(text):
        for part in re.split(r"^\$ ", block["lines"], flags=re.MULTILINE)[1:]:
            command, *output = part.rstrip("\n").split("\n")
            examples.append(Example(command, block["how"].strip(), tuple(output)))
    return examples


def skeleton(line: str) -> str:
    """A line without its numbers, and without the spaces that line them up."""
    return re.sub(r"\s+", " ", NUMBER.sub("#", line))


def tidy(printed: str, code: int, folder: Path) -> tuple[str, ...]:
    """The lines to keep of what was printed in `folder`, without its place and without tokens; the exit code where it is not 0."""
    plain = TOKEN.sub("TOKEN", printed.replace(f"{folder.resolve()}/", ""))
    lines = [line.rstrip() for line in plain.splitlines() if "TensorFlow Lite" not in line]
    kept = [line for line, following in zip(lines, [*lines[1:], None]) if following is None or skeleton(line) != skeleton(following)]
    return (*kept, *([f"[{code}]"] if code else []))


def write_outputs(text: str, play: Callable[[Example], tuple[str, ...]]) -> str:
    """The page with new outputs."""
    examples: Iterator[Example] = iter(read_examples(text))

    def filled(block: re.Match[str]) -> str:
        count = len(re.findall(r"^\$ ", block["lines"], re.MULTILINE))
        lines = [line for _, example in zip(range(count), examples) for line in (PROMPT + example.command, *play(example))]
        return "\n".join([f"```console{block['how']}", *lines, "```"])

    return BLOCK.sub(filled, text)


def play_in_a_process(example: Example, folder: Path) -> tuple[str, ...]:
    """What the command prints, run in `folder`."""
    words = [sys.executable, "-c", "from hoifield.cli.main import main; main()", *shlex.split(example.command)[1:]]
    # a shell that starts programs in the background has them ignore Ctrl-C
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=heed)
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if example.how == UNTIL_STOPPED and "Ctrl-C" in line:
            process.send_signal(signal.SIGINT)
    return tidy(printed, process.wait(), folder)


def main() -> None:
    """Writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True)

    def play(example: Example) -> tuple[str, ...]:
        print(PROMPT + example.command, flush=True)
        output = play_in_a_process(example, folder)
        print("\n".join(output), flush=True)
        return output

    PAGE.write_text(write_outputs(PAGE.read_text(encoding="utf-8"), play), encoding="utf-8")


if __name__ == "__main__":
    main()
