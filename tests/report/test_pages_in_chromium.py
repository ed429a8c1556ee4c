"""The report and the comparison in a real browser: scenes are drawn and turn, cameras are linked, the slider moves all, nothing is asked for."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from headless_chromium import HeadlessChromium, Page, require_chromium
from recorded_runs import record_failed_run, record_finished_run, record_refused_run

from hoifield.clip.clip import Clip
from hoifield.report.compare import write_comparison
from hoifield.report.html_report import render_report
from hoifield.report.report_content import collect_content

SET_SLIDER = "(() => {{ const s = document.getElementById('{0}'); s.value = {1}; s.dispatchEvent(new Event('input')); }})()"
FOREIGN = "<!doctype html><img src='http://127.0.0.1:9/picture.png'><script>throw new Error('broken')</script>"


@pytest.fixture(scope="module")
def browser() -> Iterator[HeadlessChromium]:
    require_chromium()
    with HeadlessChromium.start() as started:
        yield started


@pytest.fixture(scope="module")
def pages(browser: HeadlessChromium, tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> dict[str, Path]:
    """A report, and the comparison of two fits, a refused and a failed run."""
    folder = tmp_path_factory.mktemp("pages")
    record_finished_run(folder / "first", clip)
    record_finished_run(folder / "second", clip, "degraded", seed=1, scale=2.0, wide=1.6)
    record_refused_run(folder / "refused")
    record_failed_run(folder / "failed")
    (folder / "report.html").write_text(render_report(collect_content(folder / "first", clip)), encoding="utf-8")
    write_comparison([folder / name for name in ("first", "second", "refused", "failed")], folder / "compare.html")
    (folder / "foreign.html").write_text(FOREIGN, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in ("report", "compare", "foreign")}


def drawn_share(picture: np.ndarray) -> float:
    """Of the pixels, those that differ from the upper left part of the picture's background."""
    return float((np.abs(picture.astype(int) - picture[20, 20]).max(2) > 24).mean())


def change(before: np.ndarray, after: np.ndarray) -> float:
    """Share of pixels that changed."""
    return float((np.abs(before.astype(int) - after).max(2) > 24).mean())


def silent(page: Page) -> bool:
    return page.network_requests() == [] and page.complaints == []


def test_the_report_draws_its_scene_which_turns_and_asks_for_nothing(browser: HeadlessChromium, pages: dict[str, Path]) -> None:
    page = browser.open_page(pages["report"].as_uri())
    still = page.picture("#stage")
    assert 0.01 < drawn_share(still) < 0.8
    assert change(still, page.picture("#stage")) == 0.0
    page.drag("#stage", 150, 40)
    turned = page.picture("#stage")
    assert change(still, turned) > 0.01 and drawn_share(turned) > 0.01
    page.click("#reset")
    assert change(still, page.picture("#stage")) == 0.0
    page.evaluate(SET_SLIDER.format("frame", 8))
    assert change(still, page.picture("#stage")) > 0.01 and "frame 8" in page.evaluate("document.getElementById('frame-line').textContent")
    page.click("#mode-object")
    page.click("#clay")
    clay = page.picture("#stage")
    drawn = np.abs(clay.astype(int) - clay[20, 20]).max(2) > 24
    assert np.ptp(clay[drawn].astype(int), axis=1).max() < 24, "without colour, what is drawn is grey"
    assert silent(page)


def test_a_video_of_the_report_plays(browser: HeadlessChromium, pages: dict[str, Path]) -> None:
    page = browser.open_page(pages["report"].as_uri())
    state = page.evaluate("(async () => { const v = document.querySelector('video'); v.currentTime = 0.2; await v.play(); return [v.videoWidth, v.error]; })()")
    assert state == [640, None] and silent(page)


def test_turning_one_mesh_of_the_comparison_turns_all(browser: HeadlessChromium, pages: dict[str, Path]) -> None:
    page = browser.open_page(pages["compare"].as_uri())
    before = [page.picture("canvas", number) for number in range(2)]
    assert all(0.02 < drawn_share(picture) < 0.9 for picture in before) and change(*before) > 0.01
    assert all(change(picture, page.picture("canvas", number)) == 0.0 for number, picture in enumerate(before))
    page.drag("canvas", 120, 30, 0)
    assert all(change(picture, page.picture("canvas", number)) > 0.02 for number, picture in enumerate(before))
    page.click("#reset")
    page.drag("canvas", -90, 0, 1)
    assert all(change(picture, page.picture("canvas", number)) > 0.02 for number, picture in enumerate(before))
    page.click("#reset")
    assert all(change(picture, page.picture("canvas", number)) == 0.0 for number, picture in enumerate(before))
    assert silent(page)


def test_one_slider_moves_overlays_and_scenes_of_all_runs(browser: HeadlessChromium, pages: dict[str, Path]) -> None:
    page = browser.open_page(pages["compare"].as_uri())
    before = [page.picture(selector, number) for selector in (".frames", "canvas") for number in range(2)]
    page.evaluate(SET_SLIDER.format("step", 9))
    after = [page.picture(selector, number) for selector in (".frames", "canvas") for number in range(2)]
    assert all(change(old, new) > 0.01 for old, new in zip(before, after))
    lines = page.evaluate("[...document.querySelectorAll('.frame-line')].map(line => line.textContent)")
    assert len(lines) == 2 and all(line.startswith("frame 9") for line in lines)
    page.evaluate(SET_SLIDER.format("step", 4))
    assert "no object pose" in page.evaluate("document.querySelector('.frame-line').textContent")
    page.click("#mode-object")
    assert all(drawn_share(page.picture("canvas", number)) > 0.02 for number in range(2)), "the object alone is shown in a frame without its pose too"
    assert silent(page)


@pytest.mark.parametrize("name", ["report", "compare"])
@pytest.mark.parametrize("dark", [False, True])
def test_pages_fit_a_narrow_window_and_follow_dark_mode(browser: HeadlessChromium, pages: dict[str, Path], name: str, dark: bool) -> None:
    page = browser.open_page(pages[name].as_uri(), width=700, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
    brightness = page.picture("h1").astype(float).mean()
    assert brightness < 90 if dark else brightness > 160
    assert silent(page)


def test_a_request_and_an_error_would_be_noticed(browser: HeadlessChromium, pages: dict[str, Path]) -> None:
    page = browser.open_page(pages["foreign"].as_uri())
    assert page.network_requests() == ["http://127.0.0.1:9/picture.png"]
    assert any("broken" in complaint for complaint in page.complaints)
