"""docs/commands.md: the commands run in their order, and print what the page says but for its numbers; no block of any page goes unexamined."""

import contextlib
import importlib.util
import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from docs_program import ROOT, load_docs_program

from hoifield.cli import main
from hoifield.errors import MissingDependency
from hoifield.observations.hand_tracker_files import find_hand_tracker
from hoifield.pipelines import fit_video, follow_run

sys.path.append(str(ROOT / "tests" / "pipelines"))

from tiny_fit import build_tiny_preset

DEPENDS_ON_THE_FIT = re.compile(r"^(HF-(RDY|QLT)-|ok:|degraded:)")
"""What is found in a clip, and how good the fit is: the page's has the full number of steps, that of the tests has not."""


RECORDER = load_docs_program("record_commands")
EXAMPLES = RECORDER.read_examples(RECORDER.PAGE.read_text(encoding="utf-8"))
PLAYED = [example for example in EXAMPLES if example.how != "recorded only"]


def comparable(output: tuple[str, ...]) -> list[str]:
    """Lines without numbers and without what depends on the fit."""
    return [RECORDER.skeleton(line) for line in output if not DEPENDS_ON_THE_FIT.match(line)]


def run_here(command: str) -> tuple[str, ...]:
    """What the command prints, run in this process."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        code = main.run(command.split()[1:])
    return RECORDER.tidy(shown.getvalue(), code, Path.cwd())


def missing_package(example) -> str | None:
    """The optional package that the example needs and that is not here."""
    needed = "wandb" if example.how == "needs wandb" else "viser" if " view " in example.command else None
    return needed if needed is not None and importlib.util.find_spec(needed) is None else None


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[tuple[str, ...]]]]:
    """What each command printed, in the order of the page, with few steps a stage."""
    try:
        find_hand_tracker()
    except MissingDependency as missing:
        pytest.skip(missing.cause)
    folder, before, threads = tmp_path_factory.mktemp("session"), Path.cwd(), torch.get_num_threads()
    printed: dict[str, list[tuple[str, ...]]] = {}
    os.chdir(folder)
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        for module in (fit_video, follow_run):
            patch.setattr(module, "build_preset", build_tiny_preset)
        for example in PLAYED:
            if missing_package(example) is None:
                output = RECORDER.play_in_a_process(example, folder) if example.how == RECORDER.UNTIL_STOPPED else run_here(example.command)
                printed.setdefault(example.command, []).append(output)
    torch.set_num_threads(threads)
    os.chdir(before)
    yield printed


@pytest.mark.parametrize("number", range(len(PLAYED)), ids=[example.command for example in PLAYED])
def test_a_command_prints_what_the_page_says(played: dict[str, list[tuple[str, ...]]], number: int):
    example = PLAYED[number]
    package = missing_package(example)
    if package is not None:
        pytest.skip(f"{package} is not installed")
    repetition = [other.command for other in PLAYED[:number]].count(example.command)
    assert comparable(played[example.command][repetition]) == comparable(example.output)


def test_every_command_is_on_the_page():
    named = {re.match(r"hoifield (\w+)", example.command)[1] for example in EXAMPLES}
    assert named == {"fit", "observe", "synth", "evaluate", "report", "view", "export", "compare", "batch", "doctor", "benchmark", "prior", "track"}
    assert all(example.output for example in EXAMPLES)


def test_the_comparison_sees_another_word_but_no_other_number():
    one = RECORDER.read_examples("```console\n$ hoifield fit\nright hand: 3 of 16 frames,  3.7% off\n[65]\n```\n")[0].output
    assert comparable(one) == comparable(("right hand: 16 of 18 frames, -12.25% off", "[65]"))
    assert comparable(one) != comparable(("left hand: 3 of 16 frames, 3.7% off", "[65]"))
    assert comparable(one) != comparable(one[:1])
    assert RECORDER.tidy("a: 1 of 3\na: 2 of 3\nb /place/x/c\n/open/s3cr-et\n", 65, Path("/place/x")) == ("a: 2 of 3", "b c", "/open/TOKEN", "[65]")


def test_a_recorded_page_is_read_back_as_it_was_played():
    text = "before\n\n```console\n$ one\n$ two\nold\n```\n\nbetween\n\n```console until Ctrl-C\n$ three\n```\n"
    page = RECORDER.write_outputs(text, lambda example: ("said", example.command, "[1]"))
    read = [(example.command, example.output) for example in RECORDER.read_examples(page)]
    assert read == [(name, ("said", name, "[1]")) for name in ("one", "two", "three")]
    assert page.replace("said\none\n[1]\n", "").replace("said\ntwo\n[1]", "old").replace("said\nthree\n[1]\n", "") == text


def test_labels_painted_in_colour_become_grey_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "how_to" / "label_two_frames.md").read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labels").mkdir()
    painted = np.full((6, 8, 3), 90, np.uint8)
    painted[2:4, 3:7] = (0, 0, 255)
    cv2.imwrite("painted.png", painted)
    exec(snippet, {})  # noqa: S102
    labels = cv2.imread("labels/000012.png", cv2.IMREAD_UNCHANGED)
    assert (labels[2:4, 3:7] == 1).all() and (labels == 1).sum() == 8 and set(np.unique(labels)) == {1, 254}


def test_every_block_of_code_is_of_a_kind_that_some_test_examines():
    """console: here; python and bash: beside their page; plain blocks name commands whose options test_site.py looks up."""
    examined = {"python": {"take_results_elsewhere.md", "label_two_frames.md"}, "bash": {"many_clips.md"}, "console": {"commands.md"}}
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "how_to").glob("*.md")]:
        for kind in re.findall(r"^```(\w+)", page.read_text(encoding="utf-8"), re.MULTILINE):
            assert page.name in examined.get(kind, set()), (page, kind)
