"""What a batch that dies leaves to the next one."""

from pathlib import Path

from hoifield.batch.batch_folder import BatchFolder
from hoifield.batch.fit_orders import FitOptions
from hoifield.batch.judge_attempts import NO_PROGRESS, AttemptEnding, ClipRecord
from hoifield.batch.name_clips import BatchClip

IDENTITY = FitOptions().identity()


def live_and_die(out: Path, ended: str | None) -> dict[str, ClipRecord]:
    """A batch that starts every unfinished clip, sees one end at most, and is gone without a word; gives the records before."""
    with BatchFolder.open(out, IDENTITY) as folder:
        folder.add_clips([BatchClip(name, f"/{name}.mp4") for name in ("poison", "innocent", "a", "b", "c")])
        before = dict(folder.records)
        for clip in folder.unfinished():
            folder.note_start(clip.name)
        if ended is not None:
            folder.note_end(ended, AttemptEnding(0, 1.0, NO_PROGRESS, "ok"))
    return before


def test_clips_are_not_blamed_for_batches_that_died_while_others_were_finished(tmp_path: Path):
    for ended in ("a", "b", "c"):
        live_and_die(tmp_path, ended)
    records = live_and_die(tmp_path, None)
    assert [records[name].outcome for name in "abc"] == ["done"] * 3
    assert records["innocent"].outcome is None and records["innocent"].deaths == 0 and records["innocent"].attempts == 3


def test_a_clip_with_which_batches_die_again_and_again_is_quarantined_in_the_end(tmp_path: Path):
    for _ in range(3):
        records = live_and_die(tmp_path, None)
        assert records["poison"].outcome is None
    with BatchFolder.open(tmp_path, IDENTITY) as folder:
        found = folder.records["poison"]
    assert found.outcome == "quarantined" and "the batch ended before the clip did" in found.message
