"""batch.html: all clips on one page that loads nothing and runs nothing."""

from collections.abc import Sequence

from hoifield.batch.batch_table import STATES, count_states, state_of
from hoifield.batch.fit_orders import log_place, run_place
from hoifield.batch.judge_attempts import ClipRecord
from hoifield.report.markup import Markup, element, escape, join, write_page
from hoifield.report.quality_names import QUALITY, scaled

SHOWN_FIRST = ("quarantined", "unfinished", "refused", "degraded", "done")


def render_batch_page(title: str, records: Sequence[ClipRecord]) -> str:
    """The page, what needs a look first. Links are relative to the batch folder. Below 2 MB for ten thousand clips."""
    counts = count_states(records)
    words = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    heading = element("header", element("h1", f"{len(records)} clips"), element("p", words, class_="verdict"))
    ordered = sorted(records, key=lambda record: SHOWN_FIRST.index(state_of(record)))
    footer = element("footer", "Written by hoifield. This page loads nothing from a network.")
    return write_page(f"hoifield batch: {title}", join(heading, _reasons(records), element("div", _clips(ordered), class_="card wide"), footer))


def _clips(records: Sequence[ClipRecord]) -> Markup:
    figures = [f"{words}, {unit}" for _, words, unit, _, _ in QUALITY]
    head = element("tr", *(element("th", words) for words in ("clip", "state", "reasons", *figures, "seconds", "attempts")))
    return element("table", head, *(_row(record) for record in records))


def _row(record: ClipRecord) -> Markup:
    """One clip. Its name leads to its report, or to its log where there is none. End tags, which HTML does not ask for, are left out for
    the sake of large batches."""
    place = f"{run_place(record.name)}/report/report.html" if record.quality else log_place(record.name)
    name = element("a", record.name, href=place) if record.attempts else record.name
    figures = []
    for key, _, _, factor, decimals in QUALITY:
        value = scaled(record.quality.get(key), factor)
        figures.append("" if value is None else f"{value:.{decimals}f}")
    cells = (name, state_of(record), " ".join(record.codes), *figures, f"{record.seconds:.0f}", record.attempts)
    return Markup("<tr>" + "".join(f"<td>{escape(cell)}" for cell in cells))


def _reasons(records: Sequence[ClipRecord]) -> Markup | None:
    """Each code with the number of its clips and what it said of one of them."""
    clips: dict[str, list[ClipRecord]] = {}
    for record in records:
        for code in record.codes:
            clips.setdefault(code, []).append(record)
    if not clips:
        return None
    rows = [
        element("tr", element("td", code), element("td", len(found)), element("td", _example(code, found)))
        for code, found in sorted(clips.items(), key=lambda item: -len(item[1]))
    ]
    head = element("tr", *(element("th", words) for words in ("reason", "clips", "for example")))
    return element("section", element("h2", "Reasons"), element("div", element("table", head, *rows), class_="card wide"))


def _example(code: str, records: Sequence[ClipRecord]) -> str:
    """The message of the first clip for which the code was the first."""
    return next((f"{record.name}: {record.message}" for record in records if record.codes[0] == code), "")
