"""What a person sees: plain lines without a terminal, and no control characters from hostile names."""

import pytest

from hoifield.cli.console import ProgressConsole, print_error, printable
from hoifield.errors import RefusedInput


def test_control_characters_and_broken_bytes_are_replaced_and_other_languages_kept():
    assert printable("clip\x1b[2J\r\x07.mp4") == "clip\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}.mp4"
    assert printable("手と物体 été\n") == "手と物体 été\n"
    assert "\udcff" not in printable("bad\udcff")


def test_an_error_is_its_code_its_cause_and_its_remedy(capsys: pytest.CaptureFixture[str]):
    print_error(RefusedInput("HF-VID-003", "no frame of '\x1b[31m' decodes", "record it again"))
    assert capsys.readouterr().err == "HF-VID-003: no frame of '\N{REPLACEMENT CHARACTER}[31m' decodes\n  try: record it again\n"


def test_without_a_terminal_steps_are_plain_lines_now_and_then(capsys: pytest.CaptureFixture[str]):
    with ProgressConsole() as console:
        console.announce("clip [bold]x[/bold]: 12 frames")
        for done in range(1, 101):
            console.announce_step("coarse", done, 100)
    assert capsys.readouterr().out.splitlines() == ["clip [bold]x[/bold]: 12 frames", "coarse: 100 of 100"]
