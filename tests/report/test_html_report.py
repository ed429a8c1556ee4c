import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from hoifield.clip.clip import Clip
from hoifield.errors import MissingInput
from hoifield.observations.observations import Readiness, Reason
from hoifield.report.charts import curves_from_metrics, draw_curve, draw_timeline
from hoifield.report.html_report import render_report
from hoifield.report.markup import data_block, element, safe_text
from hoifield.report.overlay_video import write_overlay
from hoifield.report.report_content import Picture, ReportContent, StageTime, collect_content
from hoifield.report.scene_block import encode_viewer_scene, thin_mesh, thin_rows
from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import write_refusal
from hoifield.runlog.metrics_log import Metric, MetricsLog

PAYLOADS = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "<svg/onload=alert(1)>",
    "javascript:alert(1)",
    "]]><a href=javascript:alert(1)>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "{{7*7}}${7*7}<%= 7 %>",
    "\u202egnp.exe\u2066",
    "\ud800\udcff\x00\x1b[31m",
    "</title><meta http-equiv=refresh content='0;url=http://evil.example'>",
    "</style><style>*{background:url(http://evil.example)}</style>",
)


class Page(HTMLParser):
    """Every element with its attributes, and the text in scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": []}
        self.visible: list[str] = []
        self._open = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, text: str) -> None:
        self.texts.get(self._open, self.visible).append(text)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def content_with(result: FitResult, payload: str) -> ReportContent:
    """The payload in every field that a file name, a message or a log can reach."""
    summary = json.loads(json.dumps(result.summary))
    summary["clip"]["name"] = summary["clip"]["sha256"] = payload
    summary["preset"] = summary["device"] = payload
    summary["reasons"] = [{"code": payload, "message": payload, "frames": [1]}]
    summary["versions"] = {payload: payload}
    summary["confidence"][payload] = 0.5
    return ReportContent(
        summary=summary,
        result=replace(result, summary=summary),
        readiness=Readiness("degraded", (Reason(payload, payload),), {payload: 1.0}),
        stages=(StageTime(payload, 1.0),),
        metrics=(Metric(0, f"fit/{payload}", 1.0), Metric(1, f"fit/{payload}", 2.0)),
        object_pictures=(Picture(payload, np.zeros((4, 4, 3), np.uint8)),),
        mask_pictures=(Picture(payload, np.zeros((4, 4, 3), np.uint8)),),
    )


@pytest.fixture(scope="module")
def inert(result: FitResult) -> list[tuple[str, dict[str, str | None]]]:
    """The elements of the page with harmless words in place of the payload."""
    return Page(render_report(content_with(result, "harmless"))).elements


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_words_add_no_element_and_no_handler(
    result: FitResult, inert: list[tuple[str, dict[str, str | None]]], payload: str
) -> None:
    page = Page(render_report(content_with(result, payload)))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in inert]
    assert [set(attributes) for _, attributes in page.elements] == [set(attributes) for _, attributes in inert]
    names = {name for _, attributes in page.elements for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in ("style", "srcdoc", "href", "action", "formaction")}
    sources = [str(attributes["src"]) for _, attributes in page.elements if "src" in attributes]
    assert sources and all(source.startswith("data:image/") for source in sources)
    assert safe_text(payload) in "".join(page.visible)


def test_the_policy_allows_exactly_the_script_and_style_of_the_page(result: FitResult) -> None:
    page = Page(render_report(ReportContent(result.summary, result)))
    policy = next(
        str(attributes["content"]) for tag, attributes in page.elements if attributes.get("http-equiv") == "Content-Security-Policy"
    )

    def digest(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    block, script = page.texts["script"]
    json.loads(block)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and "unsafe" not in policy
    assert rules["script-src"] == digest(script) and rules["style-src"] == digest("".join(page.texts["style"]))


def test_the_page_names_no_outside_address(result: FitResult) -> None:
    page = render_report(ReportContent(result.summary, result))
    assert not re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z]", page)
    assert page.count("<link") == 0


def test_verdict_and_reasons_come_before_everything_else(result: FitResult) -> None:
    page = render_report(ReportContent(result.summary, result))
    first = [page.index(word) for word in ("degraded</span>", "the object is seen from one side", "frames 2–3", "<canvas")]
    assert first == sorted(first)


def test_a_refused_clip_gets_a_page_without_viewer(tmp_path: Path, result: FitResult) -> None:
    write_refusal(tmp_path / "result", {**result.summary, "status": "refused"})
    page = Page(render_report(collect_content(tmp_path)))
    assert page.count("canvas") == 0 and page.count("script") == 0
    assert "refused" in page.visible


def test_a_run_without_a_result_says_so(tmp_path: Path) -> None:
    with pytest.raises(MissingInput):
        collect_content(tmp_path)


def test_a_whole_run_folder_becomes_one_page(run_folder: Path, clip: Clip, result: FitResult) -> None:
    write_overlay(run_folder / "result" / "overlay.mp4", clip, result)
    log = MetricsLog(run_folder / "metrics.jsonl")
    for step in range(20):
        log.scalar(step, "loss/colour", 1.0 / (step + 1))
    log.scalar(20, "loss/colour", float("nan"))
    page = Page(render_report(collect_content(run_folder, clip)))
    assert page.count("video") == 1 and page.count("canvas") == 1 and page.count("polyline") == 1
    assert page.visible.index("loss") < page.visible.index("colour")
    assert not any("/" in str(run_folder) and str(run_folder) in text for text in page.visible)


def test_numbers_that_were_not_measured_show_a_dash(result: FitResult) -> None:
    summary = {
        **result.summary,
        "quality": dict.fromkeys(result.summary["quality"]),
        "confidence": dict.fromkeys(result.summary["confidence"]),
    }
    page = Page(render_report(ReportContent(summary, result)))
    assert page.visible.count("–") == len(summary["quality"]) + len(summary["confidence"])


def test_the_viewer_gets_vertices_to_a_fiftieth_of_a_millimetre(result: FitResult) -> None:
    scene = encode_viewer_scene(result)
    hand = scene["hands"][0]
    steps = np.frombuffer(base64.b64decode(hand["frames"]), "<u2").reshape(12, hand["vertices"], 3)
    np.testing.assert_allclose(np.array(hand["lower"]) + steps * np.array(hand["step"]), result.hands[0].vertices, atol=2e-5)
    assert [pose is None for pose in scene["T_camera_object"]] == [k in (4, 5) for k in range(12)]
    np.testing.assert_allclose(np.array(scene["T_camera_object"][0]).reshape(4, 4).T, result.T_camera_object[0], atol=1e-6)
    json.dumps(scene, allow_nan=False)


def test_a_large_mesh_is_thinned_for_the_page_and_keeps_its_place(result: FitResult) -> None:
    mesh = result.object_mesh
    thinned = thin_mesh(mesh, most_faces=300)
    assert 50 < len(thinned.faces) <= 300 and thinned.colours is not None
    np.testing.assert_allclose(thinned.extent, mesh.extent, atol=0.012)
    assert thin_mesh(mesh) is mesh
    assert len(thin_rows(1000)) == 240 and thin_rows(1000)[-1] == 999 and len(thin_rows(5)) == 5


def test_data_cannot_end_its_script_element() -> None:
    block = data_block("scene", {"name": "</script><!--&\u2028"})
    assert block.count("<") == 2 and json.loads(block[block.index(">") + 1 : block.rindex("<")])["name"] == "</script><!--&\u2028"


def test_elements_escape_text_and_attributes() -> None:
    assert element("p", "<b>", title='"x"') == '<p title="&quot;x&quot;">&lt;b&gt;</p>'


def test_a_gap_in_the_timeline_is_an_empty_box() -> None:
    timeline = draw_timeline({"object": [1.0, 0.0, 0.0, 0.5]})
    boxes = re.findall(
        r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="([\d.]+)" class="lane (\w+)">', timeline[: timeline.index("</svg>")]
    )
    assert boxes == [
        ("0", "1000", "26", "floor"),
        ("0.00", "250.30", "26.00", "object"),
        ("250.00", "500.00", "24", "none"),
        ("750.00", "250.30", "13.00", "object"),
    ]


def test_curves_keep_their_ends_and_leave_out_what_is_not_finite() -> None:
    metrics = [Metric(step, "loss", 100.0 * 0.9**step) for step in range(100)] + [Metric(100, "loss", float("inf"))]
    (curve,) = curves_from_metrics(metrics)
    chart = draw_curve("loss", [curve])
    points = re.search(r'points="([^"]+)"', chart)
    assert len(curve.values) == 100 and "log scale" in chart and points is not None
    y = np.array([float(point.split(",")[1]) for point in points.group(1).split()])
    np.testing.assert_allclose(np.diff(y), np.diff(y).mean(), atol=0.11)
