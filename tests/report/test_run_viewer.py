"""`hoifield view` as it is started, with a real viser server in a process of its own; and in a browser, where there is one."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from headless_chromium import HeadlessChromium, asked_by_pages, require_chromium
from viser_panel import ViserPanel

from hoifield.cli import main
from hoifield.clip.clip import Clip
from hoifield.errors import ConfigurationError, MissingDependency
from hoifield.report import viser_server
from hoifield.report.viewed_run import ViewedRun, read_pictures
from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import write_result

try:
    VISER: str | None = version("viser")
except PackageNotFoundError:
    VISER = None
needs_viser = pytest.mark.skipif(VISER is None, reason="viser is not installed: pip install 'hoifield[viewer]'")
SIZE = (900, 600)
SCENE = np.s_[160:, :520]
"""Where no panel and no notice lies over the scene."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, result: FitResult) -> Iterator[str]:
    """What `hoifield view` of a folder with a hostile name prints first; the command runs meanwhile, and ends at a Ctrl-C with 0."""
    run = tmp_path_factory.mktemp("viewed") / "run<img src=x onerror='window.stolen=1'>"
    write_result(run / "result", result)
    program = [sys.executable, "-m", "hoifield", "view", str(run)]
    root = str(Path(__file__).resolve().parents[2])
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root, env={**os.environ, "PYTHONPATH": root}
    ) as served:
        assert served.stdout is not None and served.stderr is not None
        yield served.stdout.readline().strip()
        served.send_signal(signal.SIGINT)
        rest, told = served.communicate(timeout=30)
    assert served.returncode == 0 and rest == ""
    assert told.startswith("From another machine: ssh -N -L ") and len(told.splitlines()) == 1, told


def ask(address: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(address).port or 0, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read() if answer.status != 101 else b""
    finally:
        connection.close()


@needs_viser
def test_nothing_is_given_without_the_token_neither_page_nor_websocket(address: str):
    place = urlsplit(address)
    token = place.path.removeprefix("/open/")
    cookie = f"hoifield_{place.port}={token}"
    assert place.hostname == "127.0.0.1" and len(token) >= 43
    wrong = {"Cookie": f"hoifield_{place.port}=wrong"}
    foreign = ({"Cookie": cookie, "Origin": "http://evil.example"}, {"Cookie": cookie, "Host": "evil.example"})
    for handshake in ({}, viser_server.HANDSHAKE):
        for headers in ({}, wrong, *foreign):
            for path in ("/", "/index.html", "/open/wrong", f"/?token={token}"):
                status, _, content = ask(address, path, **headers, **handshake)
                assert (status, content) == (403, b"403 Forbidden\n"), (headers, path)
    status, headers, content = ask(address, "/", Cookie=cookie)
    assert status == 200 and b"viser" in content.lower()
    assert "connect-src 'self' ws://127.0.0.1:" in headers["Content-Security-Policy"] and headers["Cache-Control"] == "no-store"
    spoken = {"Sec-WebSocket-Protocol": f"viser-v{VISER}"}
    assert ask(address, "/", Cookie=cookie, **viser_server.HANDSHAKE, **spoken)[0] == 101
    assert ask(address, place.path)[1]["Location"] == "/"


@needs_viser
def test_a_browser_sees_the_scene_move_and_turn_and_asks_nobody_else(address: str, tmp_path: Path):
    require_chromium()
    with HeadlessChromium.start(tmp_path / "net.json") as browser:
        panel = ViserPanel(browser, address, SIZE, density=0.5)
        panel.wait_for("stands still")
        time.sleep(3)
        first, again = panel.picture()[SCENE], panel.picture()[SCENE]
        assert changed(first, again) == 0.0 and (first.min(-1) < 240).mean() > 0.02
        panel.page.drag("canvas", 130, -40)
        turned = panel.picture()[SCENE]
        assert changed(first, turned) > 0.02
        panel.write("frame", "9")
        panel.wait_for("frame 9,")
        time.sleep(1)
        assert changed(turned, panel.picture()[SCENE]) > 0.005
        panel.write("frame", "4")
        panel.wait_for("object: no pose")
        for switch in ("hand", "object", "cameras"):
            panel.click(switch)
        time.sleep(2)
        assert (panel.picture()[SCENE].min(-1) < 240).mean() < 0.001, "everything is switched off"
        assert panel.page.evaluate("window.stolen === undefined") and "run<img" in panel.text()
    assert asked_by_pages(tmp_path / "net.json") == {urlsplit(address).netloc}


@needs_viser
def test_the_log_of_the_browser_does_show_a_page_that_asks_elsewhere(tmp_path: Path):
    require_chromium()
    with HeadlessChromium.start(tmp_path / "net.json") as browser:
        browser.open_page("data:text/html,<img src='http://127.0.0.1:9/x.png'>")
        time.sleep(1)
    assert asked_by_pages(tmp_path / "net.json") == {"127.0.0.1:9"}


def changed(one: np.ndarray, other: np.ndarray) -> float:
    """Share of pixels that differ by more than 8 of 255 in some channel."""
    return float((np.abs(one.astype(int) - other).max(-1) > 8).mean())


@needs_viser
def test_a_viser_that_is_not_guarded_is_refused_and_not_left_open(monkeypatch: pytest.MonkeyPatch):
    started: list[int] = []
    check = viser_server._require_refusal

    def watched(port: int, headers: dict[str, str]) -> None:
        started.append(port)
        check(port, headers)

    monkeypatch.setattr(viser_server, "_gate_before_websockets", lambda gate: contextlib.nullcontext())
    monkeypatch.setattr(viser_server, "_require_refusal", watched)
    with pytest.raises(MissingDependency) as refused:
        viser_server.start_viser(0)
    assert refused.value.code == "HF-VIE-002" and "200" in refused.value.cause
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", started[0], timeout=5).request("GET", "/")


@needs_viser
def test_a_port_that_is_taken_is_said_and_no_other_is_used():
    server, gate = viser_server.start_viser(0)
    try:
        with pytest.raises(ConfigurationError) as refused:
            viser_server.start_viser(gate.port)
        assert refused.value.code == "HF-REP-004"
        assert server.request_share_url() is None
    finally:
        viser_server.stop_viser(server)


@needs_viser
def test_the_scene_holds_what_the_result_holds_and_a_later_state_takes_its_place(result: FitResult, clip: Clip, capsys: pytest.CaptureFixture[str]):
    from hoifield.report.run_viewer import RunViewer

    viewer = RunViewer()
    try:
        viewer.show(ViewedRun("bowl", "before final, stage 3 of 4", result, read_pictures(clip)))
        controls, nodes = viewer._controls, viewer._nodes
        assert controls is not None and nodes is not None
        controls.frame.value = 7
        viewer.place()
        np.testing.assert_allclose(nodes._hands["right"].vertices, result.hands[0].vertices[7], atol=1e-6)
        np.testing.assert_allclose(nodes._object.position, result.T_camera_object[7, :3, 3], atol=1e-9)
        assert nodes._object.visible and nodes._picture.visible and not nodes._cameras.visible
        controls._world.value = "object"
        viewer.change_world()
        np.testing.assert_allclose(nodes._clip.position, np.linalg.inv(result.T_camera_object[7])[:3, 3], atol=1e-9)
        assert nodes._cameras.visible and len(nodes._track) == 10
        controls.frame.value = 4
        viewer.place()
        assert not nodes._clip.visible and "no pose" in controls.reading.content
        controls.frame.value = 0
        controls._colouring.value = "confidence"
        viewer.repaint()
        assert nodes._mesh.color == (51, 173, 92)
        moved = result.T_camera_object + np.array([[0.0, 0.0, 0.0, 0.25], *np.zeros((3, 4))])
        viewer.show(ViewedRun("bowl", "finished: ok", FitResult(**{**vars(result), "T_camera_object": moved}), {}))
        assert nodes._object.position[0] == pytest.approx(moved[0, 0, 3]) and "finished: ok" in viewer._state.content
        assert not nodes._picture.visible and "no pictures" in viewer._state.content
    finally:
        viewer.close()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("installed", [None, "1.0.30", "1.1.0", "1.2.0", "1.2", "2.0"])
def test_without_a_viser_that_was_tried_the_command_says_what_to_do(
    installed: str | None, run_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def found(name: str) -> str:
        if installed is None:
            raise PackageNotFoundError(name)
        return installed

    monkeypatch.setattr(viser_server, "version", found)
    assert main.run(["view", str(run_folder)]) == 69
    told = capsys.readouterr().err
    assert told.startswith("HF-VIE-001: ") and "pip install 'hoifield[viewer]'" in told and "hoifield report RUN --serve" in told
    assert installed is None or installed in told
