"""Every clip ends in the right one of four states, whatever happens to the processes that fit it."""

import json
from pathlib import Path

import pytest
from drive_pretended import EngineMaker, run_batch, write_clip

from hoifield.batch import run_attempt
from hoifield.batch.judge_attempts import NO_PROGRESS
from hoifield.batch.serial_engine import SerialEngine
from hoifield.errors import InputOutputFailure, MissingDependency
from hoifield.storage import read_json_lines


def finishes(out: Path, name: str) -> int:
    """How often the fit of a clip wrote its result."""
    return sum("finished" in line for line in read_json_lines(out / "runs" / name / "metrics.jsonl"))


def test_twelve_clips_whose_workers_die_five_times_all_end_in_the_right_state_and_none_twice(tmp_path: Path, make_engine: EngineMaker):
    ends = ["ok"] * 6 + ["degraded"] * 3 + ["refused"] * 3
    deaths: dict[int, list[object]] = {0: [0], 3: [1, 1], 7: ["exit 75"], 10: [1]}
    clips = [write_clip(tmp_path / f"clip {k}.mp4", end=end, lives=deaths.get(k, [])) for k, end in enumerate(ends)]
    records = run_batch(clips, tmp_path / "out", make_engine(4))
    wanted = {"ok": "done", "degraded": "degraded", "refused": "refused"}
    assert [records[clip.name].outcome for clip in clips] == [wanted[end] for end in ends]
    assert sum(record.attempts for record in records.values()) == 12 + 5
    assert [finishes(tmp_path / "out", records[clip.name].name) for clip in clips] == [1] * 12
    written = json.loads((tmp_path / "out" / "batch.json").read_text())
    assert written["counts"] == {"done": 6, "degraded": 3, "refused": 3, "quarantined": 0, "unfinished": 0}
    assert sum(written["counts"].values()) == written["clips"] == len(written["rows"]) == 12


def test_a_poison_clip_is_quarantined_after_three_deaths_while_the_others_finish(tmp_path: Path, make_engine: EngineMaker):
    poison = write_clip(tmp_path / "poison.mp4", lives=[0, 0, 0])
    others = [write_clip(tmp_path / f"{k}.mp4") for k in range(3)]
    records = run_batch([poison, *others], tmp_path / "out", make_engine(2))
    assert [records[clip.name].outcome for clip in others] == ["done"] * 3
    found = records["poison.mp4"]
    assert found.outcome == "quarantined" and found.attempts == 3 and found.codes[0] == "HF-BAT-010" and "signal 9" in found.message
    again = run_batch([poison], tmp_path / "out", SerialEngine(1))
    assert again["poison.mp4"].attempts == 3, "quarantined clips wait until they are asked for"
    assert run_batch([poison], tmp_path / "out", SerialEngine(1), retry=True)["poison.mp4"].outcome == "done"


def test_a_slow_clip_that_gets_further_each_time_is_never_given_up(tmp_path: Path):
    clip = write_clip(tmp_path / "slow.mp4", steps=9, lives=[1] * 8)
    found = run_batch([clip], tmp_path / "out", SerialEngine(1))["slow.mp4"]
    assert found.outcome == "done" and found.attempts == 9


def test_control_counting_attempts_instead_of_progress_would_lose_that_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(run_attempt, "read_progress", lambda run: NO_PROGRESS)
    clip = write_clip(tmp_path / "slow.mp4", steps=9, lives=[1] * 8)
    found = run_batch([clip], tmp_path / "out", SerialEngine(1))["slow.mp4"]
    assert found.outcome == "quarantined" and found.attempts == 3


@pytest.mark.parametrize(
    ("exit_code", "error", "code"),
    [
        (70, "HF-INT-001: ValueError: a bug\n  try: report it\n", "HF-INT-001"),
        (66, "HF-VID-001: no such file\n  try: name another\n", "HF-VID-001"),
        (78, "HF-CFG-004: --seed -1\n  try: 0\n", "HF-CFG-004"),
        (77, "HF-VID-013: no permission\n  try: change it\n", "HF-VID-013"),
    ],
)
def test_an_error_of_the_clip_itself_quarantines_it_at_once_with_the_reason(tmp_path: Path, exit_code: int, error: str, code: str):
    clips = [write_clip(tmp_path / "bad.mp4", lives=[f"exit {exit_code}"] * 3, error=error), write_clip(tmp_path / "good.mp4")]
    records = run_batch(clips, tmp_path / "out", SerialEngine(1))
    assert records["good.mp4"].outcome == "done"
    assert records["bad.mp4"].outcome == "quarantined" and records["bad.mp4"].attempts == 1 and records["bad.mp4"].codes == (code,)


def test_a_fit_that_ends_well_and_leaves_nothing_is_quarantined(tmp_path: Path):
    found = run_batch([write_clip(tmp_path / "a.mp4", lives=["exit 0"], error="all is well\n")], tmp_path / "out", SerialEngine(1))["a.mp4"]
    assert found.outcome == "quarantined" and found.codes == ("HF-BAT-009",) and "all is well" in found.message


def test_a_clip_that_was_refused_before_there_was_a_run_says_why(tmp_path: Path):
    clip = write_clip(tmp_path / "text.mp4", lives=["exit 65"], error="HF-VID-005: not a video\n  try: another\n")
    found = run_batch([clip], tmp_path / "out", SerialEngine(1))["text.mp4"]
    assert found.outcome == "refused" and found.codes == ("HF-VID-005",) and found.message == "not a video"


@pytest.mark.parametrize(
    ("exit_code", "error", "expected"),
    [
        (69, "HF-DEV-001: no GPU\n  try: the CPU\n", MissingDependency),
        (66, "HF-ACT-004: no MANO file\n  try: download it\n", MissingDependency),
        (74, "HF-OUT-001: no space is left\n  try: free some\n", InputOutputFailure),
    ],
)
def test_what_would_end_every_clip_ends_the_batch_and_the_same_command_goes_on(
    tmp_path: Path, exit_code: int, error: str, expected: type[Exception]
):
    clips = [write_clip(tmp_path / f"{k}.mp4", lives=[f"exit {exit_code}"], error=error) for k in range(4)]
    with pytest.raises(expected, match="as every clip would"):
        run_batch(clips, tmp_path / "out", SerialEngine(1))
    counts = json.loads((tmp_path / "out" / "batch.json").read_text())["counts"]
    assert counts["unfinished"] == 4 and counts["quarantined"] == 0
    for clip in clips:
        write_clip(clip)
    assert {record.outcome for record in run_batch(clips, tmp_path / "out", SerialEngine(4)).values()} == {"done"}


def test_a_run_folder_that_another_process_still_holds_is_tried_again(tmp_path: Path):
    clip = write_clip(tmp_path / "held.mp4", lives=["exit 77"], error="HF-RUN-002: process 12 works there\n  try: wait\n")
    found = run_batch([clip], tmp_path / "out", SerialEngine(1))["held.mp4"]
    assert found.outcome == "done" and found.attempts == 2


@pytest.mark.parametrize("fault", ["enospc", "eio"])
def test_a_disk_that_fails_under_the_batch_ends_it_resumable_and_nothing_is_lost(tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch):
    clips = [write_clip(tmp_path / f"{k}.mp4") for k in range(3)]
    for number in (5, 20, 45):
        monkeypatch.setattr("hoifield.file_operations.operations.count", 0)
        monkeypatch.setenv("HF_FAULT", f"{fault}@{number}")
        try:
            run_batch(clips, tmp_path / "out", SerialEngine(1))
        except InputOutputFailure as failure:
            assert failure.code in ("HF-OUT-001", "HF-OUT-003", "HF-BAT-003")
    monkeypatch.delenv("HF_FAULT")
    records = run_batch(clips, tmp_path / "out", SerialEngine(1), retry=True)
    assert {record.outcome for record in records.values()} == {"done"}
    assert [finishes(tmp_path / "out", record.name) for record in records.values()] == [1] * 3
