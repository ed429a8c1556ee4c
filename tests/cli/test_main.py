"""The command line: help, exit codes and error lines of every command, and that parsing stays light."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from hoifield.cli import main
from hoifield.cli.doctor_command import DoctorCommand
from hoifield.errors import Interrupted

COMMANDS = ("fit", "observe", "synth", "evaluate", "batch", "benchmark", "prior", "report", "view", "export", "compare", "track", "doctor")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]):
    assert main.run([command, "--help"]) == 0
    assert f"hoifield {command}" in capsys.readouterr().out


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]):
    assert main.run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in COMMANDS)


def test_parsing_imports_no_tensor_library():
    program = (
        "import sys; from hoifield.cli.main import run; code = run(['fit', '--help']); "
        "heavy = {'torch', 'numba', 'cv2', 'scipy', 'av'} & set(sys.modules); sys.exit(f'{code} {heavy}' if code or heavy else 0)"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["fit"],
        ["fit", "--video", "x", "--bogus"],
        ["fit", "--video", "x", "--preset", "huge"],
        ["fit", "--video", "x", "--seed", "one"],
        ["benchmark"],
        ["track"],
        ["track", "workspace", "somewhere"],
        ["benchmark", "accuracy", "--tier", "huge"],
        ["benchmark", "speed", "--tier", "nano"],
    ],
)
def test_a_command_line_that_makes_no_sense_is_64(arguments: list[str]):
    assert main.run(arguments) == 64


def error_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main.run(arguments)
    return code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        (["fit", "--video", "{}/absent.mp4", "--out", "{}/run"], 66, "HF-VID-001"),
        (["observe", "--video", "{}/absent.mp4", "--out", "{}/seen"], 66, "HF-VID-001"),
        (["fit", "--video", "{}/empty", "--out", "{}/run"], 65, "HF-VID"),
        (["fit", "--video", "{}/text.mp4", "--out", "{}/run"], 65, "HF-VID"),
        (["fit", "--video", "x", "--object-point", "1"], 64, "HF-CFG-001"),
        (["observe", "--video", "x", "--object-point", "a,b"], 64, "HF-CFG-001"),
        (["fit", "--video", "x", "--masks", "{}/absent"], 66, "HF-CFG-002"),
        (["fit", "--video", "x", "--depth", "{}/absent"], 66, "HF-CFG-002"),
        (["observe", "--video", "x", "--depth", "{}/absent"], 66, "HF-CFG-002"),
        (["fit", "--video", "x", "--template", "{}/absent.ply"], 66, "HF-CFG-013"),
        (["observe", "--video", "x", "--template", "umbrella"], 66, "HF-CFG-013"),
        (["fit", "--video", "x", "--sam2-weights", "{}/absent.pt"], 64, "HF-MSK-013"),
        (["fit", "--video", "x", "--object-point", "1,2", "--sam2-weights", "{}/absent.pt"], 66, "HF-MSK-010"),
        (["observe", "--video", "x", "--masks", "{}/empty", "--sam2-weights", "{}/text.mp4"], 65, "HF-MSK-011"),
        (["fit", "--video", "x", "--max-frames", "7"], 78, "HF-CFG-003"),
        (["fit", "--video", "x", "--seed", "-1"], 78, "HF-CFG-004"),
        (["synth", "{}/new", "--seed", "-1"], 78, "HF-CFG-004"),
        (["fit", "--video", "x", "--device", "cuda"], 69, "HF-DEV-001"),
        (["batch", "--out", "{}/new"], 64, "HF-BAT-001"),
        (["batch", "x", "--out", "{}/new", "--at-once", "0"], 78, "HF-BAT-007"),
        (["batch", "x", "--out", "{}/new", "--address", "head:6379"], 64, "HF-BAT-008"),
        (["batch", "x", "--out", "{}/new", "--seed", "-1"], 78, "HF-CFG-004"),
        (["batch", "x", "--out", "{}/new", "--max-frames", "3"], 78, "HF-CFG-003"),
        (["batch", "x", "--out", "{}/full"], 73, "HF-RUN-001"),
        (["benchmark", "accuracy", "--seed", "-1"], 78, "HF-CFG-004"),
        (["benchmark", "accuracy", "--out", "{}/full"], 73, "HF-BEN-006"),
        (["benchmark", "speed", "--device", "cuda"], 69, "HF-DEV-00"),
        (["synth", "{}/full"], 73, "HF-SYN-010"),
        (["synth", "{}/text.mp4"], 73, "HF-SYN-010"),
        (["report", "{}/empty"], 66, "HF-RUN-012"),
        (["view", "{}/empty"], 66, "HF-RUN-012"),
        (["export", "{}/empty", "--format", "glb"], 66, "HF-RUN-012"),
        (["compare", "{}/absent", "--out", "{}/page.html"], 66, "HF-CFG-002"),
        (["track", "sync", "{}/absent"], 66, "HF-CFG-002"),
        (["evaluate", "{}/empty", "--truth", "{}/empty"], 66, "HF-RES"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_code_a_cause_and_a_remedy(
    arguments: list[str], exit_code: int, code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("precious")
    (tmp_path / "text.mp4").write_text("not a video")
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    found, shown = error_of([argument.format(tmp_path) for argument in arguments], capsys)
    assert found == exit_code
    assert shown.startswith(code) and "\n  try: " in shown and "Traceback" not in shown
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before


def test_a_foreign_output_folder_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    (tmp_path / "pictures").mkdir()
    for frame in range(12):
        cv2.imwrite(str(tmp_path / "pictures" / f"{frame:06d}.png"), np.full((120, 160, 3), 20 * frame, np.uint8))
    found, shown = error_of(["fit", "--video", str(tmp_path / "pictures"), "--out", str(tmp_path / "mine")], capsys)
    assert found == 73 and shown.startswith("HF-RUN-001")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("failure", "exit_code", "code"),
    [
        (KeyboardInterrupt(), 75, "HF-RUN-013"),
        (MemoryError(), 74, "HF-RUN-014"),
        (OSError(28, "No space left on device"), 74, "HF-RUN-011: No space left on device"),
        (ValueError("a bug"), 70, "HF-INT-001: ValueError: a bug"),
        (Interrupted("HF-RUN-008", "stopped", "run it again"), 75, "HF-RUN-008: stopped"),
    ],
)
def test_every_failure_ends_in_a_code_and_shows_its_traceback_only_on_request(
    failure: BaseException, exit_code: int, code: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(self: DoctorCommand) -> int:
        raise failure

    monkeypatch.setattr(DoctorCommand, "run", fail)
    found, shown = error_of(["doctor"], capsys)
    assert found == exit_code and shown.startswith(code) and "Traceback" not in shown
    if isinstance(failure, (ValueError, OSError, Interrupted)):
        assert "Traceback" in error_of(["--debug", "doctor"], capsys)[1]
