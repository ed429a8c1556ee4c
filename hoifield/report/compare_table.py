"""The comparison's tables: one column per run; the best of each figure, where runs can be compared; options that differ."""

from collections.abc import Callable, Sequence

from hoifield.report.charts import draw_bar, draw_swatch
from hoifield.report.compared_run import ComparedRun
from hoifield.report.figures import draw_badge, duration_text
from hoifield.report.markup import Markup, element, join, picture_uri
from hoifield.report.quality_names import CONFIDENCE_NAMES, LARGER_IS_BETTER, QUALITY, scaled
from hoifield.report.turntable import render_turntable
from hoifield.result.surface_quality import is_watertight

THUMBNAIL_VIEWS = 3
SECONDS = {"observe": "observing", "fit": "fitting", "total": "all together"}
LONGEST_VALUE = 24


def draw_summary(runs: Sequence[ComparedRun]) -> Markup:
    """Status, reasons and figures of the runs; the best of a row is marked where `are_comparable`."""
    comparable = are_comparable(runs)
    rows = [
        _heading(runs),
        _row("status", [draw_badge(run.status) for run in runs]),
        _row("reasons", [_reasons(run) for run in runs]),
        _row("clip", [run.clip or "–" for run in runs]),
        _row("object", [_thumbnail(run) for run in runs]),
        _group("Confidence, as each run states it", len(runs)),
        *(_confidence_row(runs, key, words, comparable) for key, words in CONFIDENCE_NAMES.items()),
        _group("Measured against the video", len(runs)),
        *(_figure_row(runs, "quality", key, f"{words}, {unit}", factor, decimals, comparable) for key, words, unit, factor, decimals in QUALITY),
        _group("Object", len(runs)),
        _row("box, cm", [_size(run) for run in runs]),
        _row("faces", [_faces(run) for run in runs]),
        _group("Work", len(runs)),
        _row("preset, device", [f"{run.summary['preset']}, {run.summary['device']}" if run.summary else "–" for run in runs]),
        *(_seconds_row(runs, key, words, comparable) for key, words in SECONDS.items()),
    ]
    return element("div", element("table", *rows, class_="compared"), class_="card wide", tabindex=0)


def draw_differences(runs: Sequence[ComparedRun]) -> Markup:
    """Options, clip and versions that are not the same in all runs that state them."""
    stated = [run.config for run in runs if run.config is not None]
    names = sorted({name for config in stated for name in config})
    differing = [name for name in names if len({repr(config.get(name)) for config in stated}) > 1]
    if not differing:
        return element("p", "None: the runs state the same options, clip and versions." if len(stated) > 1 else "Fewer than two runs state their options.")
    rows = [_row(name, [_option(run, name) for run in runs]) for name in differing]
    return element("div", element("table", _heading(runs), *rows, class_="compared"), class_="card wide", tabindex=0)


def are_comparable(runs: Sequence[ComparedRun]) -> bool:
    """Whether the fitted runs are of one clip: figures of different clips say nothing of which run is better."""
    return len({run.clip_sha256 for run in runs if run.result is not None}) == 1


def find_best(texts: Sequence[str | None], values: Sequence[float | None], larger_is_better: bool | None) -> list[bool]:
    """Which of the values are the best; none where neither is better, fewer than two are known, or all read the same (`texts`)."""
    known = [value for value in values if value is not None]
    if larger_is_better is None or len({text for text in texts if text is not None}) < 2:
        return [False] * len(values)
    best = max(known) if larger_is_better else min(known)
    shown = texts[values.index(best)]
    return [text == shown for text in texts]


def _row(name: str, cells: Sequence[object]) -> Markup:
    return element("tr", element("th", name, scope="row"), *(element("td", cell) for cell in cells))


def _group(title: str, runs: int) -> Markup:
    return element("tr", element("th", title, scope="rowgroup", colspan=runs + 1), class_="group")


def _heading(runs: Sequence[ComparedRun]) -> Markup:
    return element("tr", element("td"), *(element("th", draw_swatch(number), run.name, scope="col") for number, run in enumerate(runs)), class_="names")


def _marked_row(
    runs: Sequence[ComparedRun], key: str, name: str, values: Sequence[float | None], text: Callable[[float], str], comparable: bool, bars: bool = False
) -> Markup:
    """A row of numbers with the best marked."""
    texts = [None if value is None else text(value) for value in values]
    fitted = [value if run.result is not None else None for run, value in zip(runs, values)]
    best = find_best([shown if value is not None else None for shown, value in zip(texts, fitted)], fitted, LARGER_IS_BETTER.get(key) if comparable else None)
    cells = []
    for shown, value, is_best in zip(texts, values, best):
        number = join(element("b", shown), element("span", "best", class_="best")) if is_best else shown or "–"
        cells.append(join(number, draw_bar(value, graded=True)) if bars and value is not None else number)
    return _row(name, cells)


def _figure_row(runs: Sequence[ComparedRun], part: str, key: str, name: str, factor: float, decimals: int, comparable: bool) -> Markup:
    values = [scaled(run.summary[part][key], factor) if run.summary else None for run in runs]
    return _marked_row(runs, key, name, values, lambda value: f"{value:.{decimals}f}", comparable)


def _confidence_row(runs: Sequence[ComparedRun], key: str, name: str, comparable: bool) -> Markup:
    values = [scaled(run.summary["confidence"][key], 1.0) if run.summary and run.result else None for run in runs]
    return _marked_row(runs, key, name, values, lambda value: f"{value:.2f}", comparable, bars=True)


def _seconds_row(runs: Sequence[ComparedRun], key: str, name: str, comparable: bool) -> Markup:
    """Times are told apart only on the same kind of device."""
    values = [scaled(run.summary["seconds"][key], 1.0) if run.summary else None for run in runs]
    devices = {run.summary["device"] for run in runs if run.summary and run.result}
    return _marked_row(runs, key, name, values, duration_text, comparable and len(devices) == 1)


def _thumbnail(run: ComparedRun) -> Markup | str:
    if run.result is None:
        return "–"
    strip = render_turntable(run.result.object_mesh, views=THUMBNAIL_VIEWS, size=96)[:, : 96 * (THUMBNAIL_VIEWS + 1)]
    words = f"object of {run.name} from {THUMBNAIL_VIEWS} sides and above"
    return element("div", element("img", src=picture_uri(strip), alt=words), class_="thumbnail")


def _size(run: ComparedRun) -> str:
    return "–" if run.result is None else " × ".join(f"{100 * side:.1f}" for side in run.result.object_mesh.extent)


def _faces(run: ComparedRun) -> str:
    if run.result is None:
        return "–"
    return f"{len(run.result.object_mesh.faces)}, {'watertight' if is_watertight(run.result.object_mesh) else 'not watertight'}"


def _reasons(run: ComparedRun) -> Markup | str:
    reasons = [element("div", str(reason["message"]), " ", element("code", str(reason["code"]))) for reason in run.reasons]
    return join(*reasons) if reasons else "–"


def _option(run: ComparedRun, name: str) -> object:
    if run.config is None or name not in run.config:
        return "–"
    text = str(run.config[name])
    return element("code", text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…")
