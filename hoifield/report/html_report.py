"""report.html: one file that opens anywhere, without a network: verdict first, then video, shape, figures, stages and curves."""

from collections.abc import Sequence

from hoifield.report.charts import curves_from_metrics, draw_bar, draw_curve_groups, draw_timeline
from hoifield.report.figures import (
    draw_badge,
    draw_figure,
    duration_text,
    frames_text,
    quality_figures,
    verdict_sentence,
)
from hoifield.report.markup import Markup, data_block, data_uri, element, join, picture_uri, read_asset, write_page
from hoifield.report.quality_names import CONFIDENCE_NAMES
from hoifield.report.report_content import Picture, ReportContent
from hoifield.report.scene_block import encode_viewer_scene, thin_rows
from hoifield.result.fit_result import FitResult

LARGEST_VIDEO = 40_000_000
"""Bytes; a longer video stays beside the report and is named."""


def render_report(content: ReportContent) -> str:
    """The page. Everything shown from the run (names, reasons, versions) is escaped; no word of it can become code."""
    script = read_asset("scene_painter.js") + read_asset("viewer.js") if content.result is not None else None
    body = join(
        _heading(content),
        _overlay(content),
        _viewer(content.result) if content.result is not None else None,
        _quality(content),
        _turntables(content.object_pictures),
        _pictures("Frames with the fit over them", content.overlay_pictures),
        _pictures("What was taken for hand and object", content.mask_pictures),
        _stages(content),
        _curves(content),
        _details(content),
    )
    return write_page(f"{content.summary['clip']['name']}: hoifield report", body, script)


def _heading(content: ReportContent) -> Markup:
    summary = content.summary
    clip, status = summary["clip"], str(summary["status"])
    reasons = [
        element(
            "li",
            str(reason["message"]),
            element("br"),
            element("small", element("code", str(reason["code"])), frames_text(reason["frames"])),
        )
        for reason in summary["reasons"]
    ]
    facts = f"{clip['frames']} frames of {clip['width']} x {clip['height']} pixels at {float(clip['fps'] or 0):.3g} per second"
    work = f"preset {summary['preset']} on {summary['device']}, {duration_text(summary['seconds']['total'])}"
    return join(
        element("header", element("div", element("h1", str(clip["name"])), draw_badge(status), class_="head")),
        element("p", verdict_sentence(summary), class_="verdict"),
        element("p", f"{facts}; {work}.", class_="soft"),
        element("ul", *reasons, class_=f"reasons {status}") if reasons else None,
    )


def _overlay(content: ReportContent) -> Markup | None:
    if content.overlay is None:
        return None
    video = content.overlay.read_bytes()
    if len(video) > LARGEST_VIDEO:
        note = f"The video is {len(video) / 1e6:.0f} MB, too large for this page; it lies in result/overlay.mp4."
        return element("section", element("h2", "Fit over the video"), element("p", note))
    player = element("video", controls=True, loop=True, muted=True, playsinline=True, preload="auto", src=data_uri(video, "video/mp4"))
    caption = element(
        "figcaption", "Left the input, right the fitted meshes over it. Frames that were not fitted, or have no pose, say so."
    )
    return element("section", element("h2", "Fit over the video"), element("figure", player, caption))


def _viewer(result: FitResult) -> Markup:
    rows = thin_rows(len(result.frame_index))
    lanes = {"object": result.object_confidence[rows].tolist()}
    lanes |= {hand.side: hand.confidence[rows].tolist() for hand in result.hands}
    last = len(rows) - 1
    controls = element(
        "div",
        element("button", "Play", id="play", type="button"),
        element("input", id="frame", type="range", min=0, max=last, step=1, value=0, aria_label="frame"),
        element("button", "Scene", id="mode-scene", type="button", aria_pressed="true"),
        element("button", "Object alone", id="mode-object", type="button", aria_pressed="false"),
        element("button", "Shape without colour", id="clay", type="button", aria_pressed="false"),
        element("button", "Reset view", id="reset", type="button"),
        class_="controls",
    )
    line = element(
        "p", element("span", id="frame-line"), " ", element("span", id="frame-missing", class_="missing"), class_="soft", aria_live="polite"
    )
    note = "Drag to turn, wheel or pinch to zoom, arrow keys also work. The scene starts as the camera sees it."
    if len(rows) < len(result.frame_index):
        note += f" {len(rows)} of {len(result.frame_index)} frames are in this page."
    fallback = element("p", "This browser shows no WebGL; the pictures below show the object from all sides.", id="no-webgl", hidden=True)
    return element(
        "section",
        element("h2", "Hand and object in space"),
        element("canvas", id="stage", tabindex=0, role="img", aria_label="hand and object, to turn around"),
        fallback,
        controls,
        line,
        draw_timeline(lanes),
        element("p", element("small", note)),
        data_block("scene", encode_viewer_scene(result)),
    )


def _quality(content: ReportContent) -> Markup:
    summary = content.summary
    confidence = [
        draw_figure(CONFIDENCE_NAMES.get(name, name), value, "", 2, draw_bar(float(value or 0.0), graded=True))
        for name, value in summary["confidence"].items()
    ]
    return element(
        "section",
        element("h2", "How far to trust it"),
        element("div", *confidence, class_="figures"),
        element("h3", "Measured against the video"),
        element("div", *quality_figures(summary, content.result), class_="figures"),
    )


def _turntables(pictures: Sequence[Picture]) -> Markup | None:
    if not pictures:
        return None
    strips = []
    for picture in pictures:
        strip = element("div", element("img", src=picture_uri(picture.image), alt=picture.caption), class_="strip")
        strips.append(element("figure", strip, element("figcaption", picture.caption)))
    return element("section", element("h2", "The object from all sides"), *strips)


def _pictures(title: str, pictures: Sequence[Picture]) -> Markup | None:
    if not pictures:
        return None
    shown = [
        element(
            "figure",
            element("img", src=picture_uri(picture.image), alt=picture.caption),
            element("figcaption", picture.caption),
            class_="picture",
        )
        for picture in pictures
    ]
    return element("section", element("h2", title), element("div", *shown, class_="pictures"))


def _stages(content: ReportContent) -> Markup:
    seconds = content.summary["seconds"]
    rows = [(stage.name, stage.seconds) for stage in content.stages] or [(name, seconds[name]) for name in ("observe", "fit", "total")]
    longest = max([value for _, value in rows if value is not None], default=0.0)
    lines = [
        element(
            "tr",
            element("td", name),
            element("td", "taken over" if value is None else duration_text(value), class_="number"),
            element("td", draw_bar(value / longest) if value and longest > 0 else None),
        )
        for name, value in rows
    ]
    parts = [element("h2", "What happened"), element("div", element("table", *lines), class_="card wide")]
    if content.readiness is not None:
        measured = [
            element("tr", element("td", name.replace("_", " ")), element("td", f"{value:.4g}", class_="number"))
            for name, value in content.readiness.measurements.items()
        ]
        found = [element("li", f"{reason.message} ({reason.code})", frames_text(reason.frames)) for reason in content.readiness.reasons]
        parts.append(element("h3", f"Before the fit: {content.readiness.verdict}"))
        parts += [element("ul", *found)] if found else []
        parts.append(
            element("details", element("summary", "Measurements"), element("div", element("table", *measured), class_="card wide"))
        )
    return element("section", *parts)


def _curves(content: ReportContent) -> Markup | None:
    groups = draw_curve_groups([curves_from_metrics(content.metrics)])
    return element("section", element("h2", "Curves of the fit"), groups) if groups is not None else None


def _details(content: ReportContent) -> Markup:
    summary = content.summary
    rows = [("seed", summary["seed"]), ("sha256 of the clip", summary["clip"]["sha256"])]
    rows += (
        [(f"version of {name}", version) for name, version in summary["versions"].items()] if isinstance(summary["versions"], dict) else []
    )
    lines = [element("tr", element("td", str(name)), element("td", element("code", str(value)))) for name, value in rows]
    return join(
        element("section", element("h2", "Provenance"), element("div", element("table", *lines), class_="card wide")),
        element(
            "footer", "Written by hoifield. This page loads nothing from a network; lengths are metres unless a figure says otherwise."
        ),
    )
