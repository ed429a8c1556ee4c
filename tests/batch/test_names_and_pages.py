"""Names of clips, and the three overviews."""

import csv
import io
import json
import os
from pathlib import Path

import pytest
from drive_pretended import run_batch, write_clip

from hoifield.batch.batch_page import render_batch_page
from hoifield.batch.batch_table import describe_batch, write_csv, write_json
from hoifield.batch.fit_orders import FitOptions, order_fit
from hoifield.batch.judge_attempts import AttemptEnding, ClipRecord, begin, judge
from hoifield.batch.name_clips import gather_clips
from hoifield.batch.run_attempt import AttemptOrder, describe_ending
from hoifield.batch.serial_engine import SerialEngine

QUALITY = {"mask_iou_hand": 0.931, "mask_iou_object": 0.9, "psnr_db": 28.1, "penetration_mean_mm": 0.52, "contact_fraction": None}


def test_names_are_unique_stable_and_safe(tmp_path: Path):
    places = ["a/clip.mp4", "b/clip.mp4", "b/CLIP.mov", "c/手.mp4", "c/" + "long " * 40 + ".mp4", "c/...mp4"]
    paths = [tmp_path / place for place in places]
    names = [clip.name for clip in gather_clips(paths)]
    assert len(set(names)) == len(places)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_") and len(name) <= 35 for name in names)
    assert [clip.name for clip in gather_clips(paths[2:])] == names[2:], "a name does not depend on the other clips"


def test_a_clip_named_twice_is_one_however_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "clip.mp4").touch()
    (tmp_path / "link.mp4").symlink_to("clip.mp4")
    monkeypatch.chdir(tmp_path)
    assert len(gather_clips([Path("clip.mp4"), Path("./clip.mp4"), tmp_path / "clip.mp4", Path("link.mp4")])) == 1


def test_only_a_folder_of_nothing_but_videos_stands_for_them(tmp_path: Path):
    for name in ("videos/b.MP4", "videos/a.mov", "videos/.hidden", "images/0.png", "mixed/a.mp4", "mixed/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    found = [clip.path for clip in gather_clips([tmp_path / name for name in ("videos", "images", "mixed", "empty", "absent")])]
    assert found == [str(tmp_path / place) for place in ("videos/a.mov", "videos/b.MP4", "images", "mixed", "empty", "absent")]


def test_clips_with_odd_names_are_fitted_and_their_paths_kept_to_the_byte(tmp_path: Path):
    odd = ["two words.mp4", "-dash.mp4", "=1+1.mp4", "été 手.mp4", "$(touch pwned).mp4", "line\nbreak.mp4", "<b>.mp4", os.fsdecode(b"bad\xff.mp4")]
    clips = [write_clip(tmp_path / name) for name in odd]
    records = run_batch(clips, tmp_path / "out dir", SerialEngine(4))
    assert {name: record.outcome for name, record in records.items()} == dict.fromkeys(odd, "done")
    text = (tmp_path / "out dir" / "batch.csv").read_bytes().decode("utf-8", "surrogateescape")
    assert [row["path"] for row in csv.DictReader(io.StringIO(text, newline=""))] == list(map(str, clips))
    assert [row["path"] for row in json.loads((tmp_path / "out dir" / "batch.json").read_text())["rows"]] == list(map(str, clips))
    page = (tmp_path / "out dir" / "batch.html").read_text()
    assert "<b>" not in page and not (tmp_path / "pwned").exists()


def test_an_order_is_the_command_that_a_person_would_type(tmp_path: Path):
    (clip,) = gather_clips([tmp_path / "a.mp4"])
    order = order_fit(clip, tmp_path / "out", FitOptions(preset="draft", seed=3, max_frames=12))
    assert order.command[1:] == (
        "-m", "hoifield", "fit", "--video", str(tmp_path / "a.mp4"), "--out", str(tmp_path / "out" / "runs" / clip.name),
        "--preset", "draft", "--device", "auto", "--hand", "auto", "--actor", "auto", "--seed", "3", "--max-frames", "12",
    )  # fmt: skip


def test_an_ending_is_small_whatever_the_log_says_and_comes_back_as_it_was(tmp_path: Path):
    log = tmp_path / "log"
    log.write_bytes(b"\x1b[31m\xff" * 1_000_000 + "手".encode() * 2000)
    order = AttemptOrder("clip", (), str(tmp_path / "run"), str(log))
    ending = describe_ending(order, -9, 12.0)
    assert len(json.dumps(ending.as_json())) < 4096 and "\x1b" not in ending.message
    assert AttemptEnding.from_json(json.loads(json.dumps(ending.as_json()))) == ending


def records_of(number: int) -> list[ClipRecord]:
    endings = [
        AttemptEnding(0, 312.4, (2, 900, 1), "ok", (), "", QUALITY),
        AttemptEnding(0, 312.4, (2, 900, 1), "degraded", ("HF-QLT-004",), "the object is far off", QUALITY),
        AttemptEnding(65, 2.0, (0, -1, 0), None, ("HF-VID-005",), "not a video"),
        AttemptEnding(70, 2.0, (0, -1, 0), None, ("HF-INT-001",), "ValueError: <script>alert(1)</script>"),
    ]
    return [judge(begin(ClipRecord(f"turning-a-mug-{k:010x}", f"/clips/{k}.mp4")), endings[k % 4]) for k in range(number)]


def test_a_page_of_ten_thousand_clips_is_small_runs_nothing_and_sums_up():
    records = records_of(10_000)
    page = render_batch_page("out", records)
    print(f"{len(page.encode()) / 1e6:.2f} MB")
    assert len(page.encode()) < 2_000_000
    assert "<script" not in page and "2500 done, 2500 degraded, 2500 refused, 2500 quarantined" in page
    document = describe_batch(records)
    assert json.loads(write_json(document)) == document and sum(document["counts"].values()) == document["clips"] == len(document["rows"])


def test_rows_lead_to_reports_or_logs_and_say_why():
    records = [*records_of(4), ClipRecord("new-0000000000", "/clips/new.mp4")]
    page = render_batch_page("out", records)
    assert 'href="runs/turning-a-mug-0000000000/report/report.html"' in page and 'href="logs/turning-a-mug-0000000003.log"' in page
    assert "93.1" in page and "28.1" in page and "ValueError: &lt;script&gt;" in page
    assert page.index("turning-a-mug-0000000003") < page.index("turning-a-mug-0000000000"), "what needs a look comes first"
    rows = list(csv.DictReader(io.StringIO(write_csv(records).decode(), newline="")))
    assert [row["state"] for row in rows] == ["done", "degraded", "refused", "quarantined", "unfinished"]
    assert rows[0]["mask_iou_hand"] == "0.931" and rows[0]["contact_fraction"] == ""
