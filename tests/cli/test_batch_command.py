"""The command with the real `hoifield fit` behind it, on clips that it refuses: everything but the fit itself."""

import json
from pathlib import Path

import pytest

from hoifield.cli import main


def test_clips_that_cannot_be_read_end_with_the_reasons_of_the_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("PYTHONPATH", str(Path(main.__file__).resolve().parents[2]))
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "-text.mp4").write_text("not a video")
    words = ["batch", str(tmp_path / "a"), str(tmp_path / "absent.mp4"), "--out", str(tmp_path / "out"), "--at-once", "2", "--max-frames", "12"]
    assert main.run(words) == 0
    assert "1 refused, 1 quarantined" in capsys.readouterr().out
    document = json.loads((tmp_path / "out" / "batch.json").read_text())
    assert document["schema"] == "hoifield.batch/1"
    found = {Path(row["path"]).name: (row["state"], row["codes"][0][:7], row["attempts"]) for row in document["rows"]}
    assert found == {"-text.mp4": ("refused", "HF-VID-", 1), "absent.mp4": ("quarantined", "HF-VID-", 1)}
    assert main.run([*words, "--strict"]) == 65
