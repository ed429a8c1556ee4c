"""Storage under crashes, full disks and foreign files: every operation is made to fail once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from crash_scenarios import is_whole, write_content
from hypothesis import given, settings
from hypothesis import strategies as st

from hoifield import file_operations, storage
from hoifield.errors import CannotCreateOutput, HoifieldError, InputOutputFailure, RefusedInput


def run_scenario(scenario: str, folder: Path) -> list[tuple[int, bool]]:
    """(exit status, whether everything was as promised) of a crash at operation 1, 2, 3 ... until one run completes."""
    program = [sys.executable, str(Path(__file__).parent / "crash_scenarios.py"), scenario, str(folder)]
    finished = subprocess.run(program, capture_output=True, text=True, timeout=120, check=True)
    outcomes = [(status, sound) for status, sound in json.loads(finished.stdout)]
    assert [status for status, _ in outcomes] == [file_operations.CRASH_STATUS] * (len(outcomes) - 1) + [0]
    return outcomes


@pytest.mark.parametrize(("scenario", "fewest"), [("commit", 10), ("replacement", 12), ("one_file", 4), ("checkpoint", 15)])
def test_a_crash_at_every_operation_loses_nothing_promised(tmp_path: Path, scenario: str, fewest: int) -> None:
    outcomes = run_scenario(scenario, tmp_path)
    assert len(outcomes) > fewest
    assert all(sound for _, sound in outcomes), [number for number, (_, sound) in enumerate(outcomes, 1) if not sound]


def test_the_crash_test_catches_a_naive_writer(tmp_path: Path) -> None:
    assert not all(sound for _, sound in run_scenario("naive", tmp_path))


@pytest.mark.parametrize(("fault", "expected"), [("enospc", 74), ("eio", 74), ("eacces", 73)])
def test_an_error_at_every_operation_is_typed_and_keeps_a_whole_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, expected: int) -> None:
    failures = 0
    for number in range(1, 30):
        final = tmp_path / str(number) / "artifact"
        storage.commit_directory(final, write_content)
        monkeypatch.setenv(file_operations.FAULT_VARIABLE, f"{fault}@{number}")
        file_operations.operations.count = 0
        try:
            storage.commit_directory(final, write_content)
        except HoifieldError as error:
            failures += 1
            assert error.exit_code == expected
        monkeypatch.delenv(file_operations.FAULT_VARIABLE)
        storage.verify_committed(final)
        assert is_whole(final)
    assert failures > 8


@settings(max_examples=40, deadline=None, derandomize=True)
@given(position=st.integers(min_value=0, max_value=5999), bit=st.integers(min_value=0, max_value=7))
def test_every_flipped_bit_is_found(tmp_path_factory: pytest.TempPathFactory, position: int, bit: int) -> None:
    final = tmp_path_factory.mktemp("flip") / "artifact"
    storage.commit_directory(final, write_content)
    path = final / ("mesh.bin" if position < 1000 else "deep/poses.bin")
    content = bytearray(path.read_bytes())
    content[position if position < 1000 else position - 1000] ^= 1 << bit
    path.write_bytes(bytes(content))
    assert storage.is_committed(final), "the size alone does not tell"
    with pytest.raises(RefusedInput, match="HF-OUT-010"):
        storage.verify_committed(final)


def test_a_folder_of_someone_else_is_refused_and_kept(tmp_path: Path) -> None:
    foreign = tmp_path / "result"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("years of work")
    with pytest.raises(CannotCreateOutput, match="HF-OUT-004"):
        storage.commit_directory(foreign, write_content)
    assert (foreign / "thesis.txt").read_text() == "years of work"
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_a_link_in_the_place_of_the_target_is_refused(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    storage.commit_directory(victim, write_content)
    link = tmp_path / "result"
    link.symlink_to(victim)
    with pytest.raises(CannotCreateOutput):
        storage.commit_directory(link, write_content)
    storage.verify_committed(victim)


def test_a_manifest_cannot_name_files_outside_its_folder(tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_bytes(b"x")
    folder = tmp_path / "artifact"
    folder.mkdir()
    entry = {"size": 1, "sha256": storage.sha256_of(outside)}
    (folder / "DONE").write_text(json.dumps({"../secret": entry}))
    assert not storage.is_committed(folder)


def test_too_little_space_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputOutputFailure, match="MB are needed") as failure:
        storage.commit_directory(tmp_path / "artifact", write_content, expected_bytes=10**18)
    assert failure.value.exit_code == 74
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser ignores mode bits")
def test_a_read_only_folder_cannot_be_an_output(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(CannotCreateOutput, match="HF-OUT-002"):
            storage.commit_directory(tmp_path / "artifact", write_content)
    finally:
        tmp_path.chmod(0o700)


def test_a_file_in_the_place_of_a_folder_cannot_be_an_output(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CannotCreateOutput, match="HF-OUT-002"):
        storage.commit_directory(tmp_path / "file" / "artifact", write_content)


def test_lines_survive_a_cut_at_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    records = [{"number": number, "text": "naïve \udcff"} for number in range(3)]
    for record in records:
        storage.append_json_line(path, record)
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        kept = storage.read_json_lines(path)
        assert kept == records[: whole[:length].count(b"\n")]
        storage.append_json_line(path, {"after": length}, durable=False)
        assert storage.read_json_lines(path) == [*kept, {"after": length}]


def test_a_damaged_line_in_the_middle_is_not_skipped_silently(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"a":1}\n{"a":\n{"a":3}\n')
    with pytest.raises(RefusedInput, match="line 2"):
        storage.read_json_lines(path)


def test_a_value_that_is_not_finite_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        storage.append_json_line(tmp_path / "metrics.jsonl", {"value": float("nan")})


def test_leftovers_of_a_living_process_stay(tmp_path: Path) -> None:
    own = tmp_path / f".result.tmp-{os.getpid()}-{'0' * 32}"
    own.mkdir()
    (tmp_path / ".hidden.tmp-notes").write_text("mine")
    storage.remove_leftovers(tmp_path)
    assert own.is_dir()
    storage.remove_leftovers(tmp_path, also_living=True)
    assert [path.name for path in tmp_path.iterdir()] == [".hidden.tmp-notes"]


def test_the_cache_folder_follows_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOIFIELD_CACHE", str(tmp_path / "cache here"))
    assert storage.cache_folder() == tmp_path / "cache here"
    assert (tmp_path / "cache here").is_dir()
