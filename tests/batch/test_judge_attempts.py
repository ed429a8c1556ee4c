"""The rule by itself, over all sequences of endings."""

from itertools import accumulate

from hypothesis import given, settings
from hypothesis import strategies as st

from hoifield.batch.judge_attempts import MOST_DEATHS, NO_PROGRESS, OUTCOMES, AttemptEnding, ClipRecord, begin, interrupt, judge, release

DEATHS = (-9, -11, 74, 75, 137, 139)
ERRORS = (64, 66, 69, 70, 73, 77, 78)


def died(step: int, exit_code: int = -9) -> AttemptEnding:
    return AttemptEnding(exit_code, 10.0, (0, step, 1))


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(DEATHS)), max_size=40))
@settings(max_examples=200, derandomize=True)
def test_a_clip_is_given_up_after_three_deaths_in_a_row_without_a_newer_checkpoint_and_not_before(lives: list[tuple[bool, int]]):
    record = ClipRecord("clip", "/clip.mp4")
    steps = accumulate(100 if further else 0 for further, _ in lives)
    barren = 0
    for (further, exit_code), step in zip(lives, steps, strict=True):
        record = judge(begin(record), died(step, exit_code))
        barren = 0 if further or record.attempts == 1 else barren + 1  # the first attempt leaves at least its stage
        assert (record.outcome == "quarantined") == (barren == MOST_DEATHS)
        if record.outcome is not None:
            assert record.attempts >= MOST_DEATHS and not record.running
            record = release(record)
            barren = 0


@given(st.lists(st.sampled_from([*DEATHS, 0, 65, *ERRORS]), min_size=1, max_size=12), st.sampled_from(["ok", "degraded", "refused", None]))
@settings(max_examples=200, derandomize=True)
def test_every_ending_but_a_death_is_final_and_has_one_outcome(exit_codes: list[int], status: str | None):
    record = ClipRecord("clip", "/clip.mp4")
    for exit_code in exit_codes:
        record = judge(begin(record), AttemptEnding(exit_code, 1.0, NO_PROGRESS, status))
        if exit_code not in DEATHS:
            expected = {0: {"ok": "done", "degraded": "degraded", "refused": "refused", None: "quarantined"}[status], 65: "refused"}
            assert record.outcome == expected.get(exit_code, "quarantined")
            break
        assert record.outcome in (None, *OUTCOMES)


def test_steps_that_are_lost_and_made_again_are_no_progress():
    record = judge(begin(ClipRecord("clip", "/clip.mp4")), died(500))
    for step in (300, 400, 500):
        record = judge(begin(record), died(step))
    assert record.outcome == "quarantined"


def test_attempts_that_the_batch_stopped_are_no_deaths_and_what_they_finished_counts():
    record = ClipRecord("clip", "/clip.mp4")
    for _ in range(10):
        record = interrupt(begin(record), AttemptEnding(75, 5.0, NO_PROGRESS))
    assert record.outcome is None and record.deaths == 0 and record.seconds == 50.0
    assert interrupt(begin(record), AttemptEnding(0, 5.0, (2, 9, 1), "ok")).outcome == "done"
