"""Chromium without a window, driven over its debugging pipe (standard library alone): clicks, drags, pixels, and every address it asks for.

    with HeadlessChromium.start() as browser:
        page = browser.open_page(path.as_uri(), width=1400)
        page.drag("canvas", 120, 30)
        picture = page.picture("canvas")
        assert page.network_requests() == []
"""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from jaxtyping import UInt8

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb",
)  # fmt: skip
PATIENCE_S = 60.0
BECOME_CHROMIUM = """
import fcntl, os, sys
commands, answers = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(commands, 3)
os.dup2(answers, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Chromium reads commands from descriptor 3 and answers on 4: no port is opened."""


def find_chromium() -> str | None:
    """Where Chromium is installed; None where it is not."""
    return next((place for place in map(shutil.which, PROGRAMS) if place), None)


def require_chromium() -> None:
    """Skips the test, and says why, where Chromium is not installed."""
    if find_chromium() is None:
        pytest.skip(f"no Chromium on this machine (looked for {', '.join(PROGRAMS)})")


class HeadlessChromium:
    """A running browser with a profile of its own, ended at the end of the `with` block."""

    def __init__(self, process: subprocess.Popen[bytes], profile: str, commands: int, answers: int) -> None:
        self._process = process
        self._profile = profile
        self._commands = commands
        self._answers = answers
        self._unread = b""
        self._number = 0
        self._pages: dict[str, Page] = {}

    @classmethod
    def start(cls, net_log: Path | None = None) -> Self:
        """Raises RuntimeError without Chromium; tests call `require_chromium` first. `net_log`: a file for what all its processes ask of a network."""
        program = find_chromium()
        if program is None:
            raise RuntimeError("Chromium is not installed")
        profile = tempfile.mkdtemp(prefix="hoifield-chromium-")
        (read_command, write_command), (read_answer, write_answer) = os.pipe(), os.pipe()
        words = [sys.executable, "-c", BECOME_CHROMIUM, str(read_command), str(write_answer)]
        words += [program, *SWITCHES, "--remote-debugging-pipe", f"--user-data-dir={profile}"]
        words += [] if net_log is None else [f"--log-net-log={net_log}"]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(words, pass_fds=(read_command, write_answer), stdin=quiet, stdout=quiet, stderr=quiet)
        os.close(read_command)
        os.close(write_answer)
        return cls(process, profile, write_command, read_answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._commands)
        os.close(self._answers)
        shutil.rmtree(self._profile, ignore_errors=True)

    def open_page(self, address: str, width: int = 1400, height: int = 900, dark: bool = False) -> "Page":
        """A page in a window of that many pixels, loaded."""
        target = self.ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = Page(self, session)
        self._pages[session] = page
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.ask(f"{domain}.enable")
        page.resize(width, height)
        page.ask("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
        page.ask("Page.navigate", {"url": address})
        self.wait(lambda: page.loaded, f"{address[:80]} to load")
        return page

    def ask(self, method: str, parameters: dict[str, Any] | None = None, session: str | None = None) -> dict[str, Any]:
        """The result of one command of the DevTools protocol; what happens meanwhile is told to the pages."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters or {}} | ({"sessionId": session} if session else {})
        unsent = json.dumps(message).encode() + b"\0"
        while unsent:
            unsent = unsent[os.write(self._commands, unsent) :]
        answers: list[dict[str, Any]] = []
        self.wait(lambda: bool(answers), method, lambda heard: answers.append(heard) if heard.get("id") == number else None)
        if "error" in answers[0]:
            raise RuntimeError(f"{method}: {answers[0]['error'].get('message')}")
        return answers[0]["result"]

    def wait(self, done: Callable[[], bool], words: str, heard: Callable[[dict[str, Any]], None] = lambda message: None) -> None:
        """Reads messages until `done`; raises TimeoutError after a minute."""
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            ready, _, _ = select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))
            part = os.read(self._answers, 2**20) if ready else b""
            if not part:
                raise TimeoutError(f"waited for {words}; Chromium {'ended' if ready else 'said nothing'}")
            *whole, self._unread = (self._unread + part).split(b"\0")
            for text in whole:
                message = json.loads(text)
                heard(message)
                if message.get("sessionId") in self._pages:
                    self._pages[message["sessionId"]].hear(message)


def asked_by_pages(net_log: Path) -> set[str]:
    """HOST:PORT of every request that pages and their workers made, in the log of a browser that has ended; the browser's own are left out."""
    lines = [line for line in net_log.read_text().splitlines() if '"initiator"' in line]
    said = [json.JSONDecoder().raw_decode(line)[0]["params"] for line in lines]
    return {urlsplit(asked["url"]).netloc for asked in said if asked["initiator"] != "not an origin"}


@dataclass
class Page:
    """One page, and what it asked for and complained about."""

    browser: HeadlessChromium
    session: str
    requests: list[str] = field(default_factory=list)
    """Every address, its own and embedded data included."""
    complaints: list[str] = field(default_factory=list)
    """Exceptions and errors of the console, those of the content policy among them."""
    loaded: bool = False

    def ask(self, method: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        """One command to this page."""
        return self.browser.ask(method, parameters, self.session)

    def hear(self, message: dict[str, Any]) -> None:
        """Keeps what matters of an event."""
        said = message.get("params", {})
        match message.get("method"):
            case "Page.loadEventFired":
                self.loaded = True
            case "Network.requestWillBeSent":
                self.requests.append(said["request"]["url"])
            case "Network.webSocketCreated":
                self.requests.append(said["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(said["exceptionDetails"])[:600])
            case "Log.entryAdded" if said["entry"]["level"] == "error":
                self.complaints.append(said["entry"]["text"])
            case "Runtime.consoleAPICalled" if said["type"] == "error":
                self.complaints.append(json.dumps(said["args"])[:600])

    def network_requests(self) -> list[str]:
        """The addresses asked for that are neither on the disk nor embedded in the page."""
        return [address for address in self.requests if not address.startswith(("data:", "file:", "blob:", "about:"))]

    def resize(self, width: int, height: int) -> None:
        """Another size of the window, pixels."""
        self.ask("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for. Raises RuntimeError for an exception."""
        answer = self.ask("Runtime.evaluate", {"expression": expression, "returnByValue": True, "awaitPromise": True})
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:600])
        return answer["result"].get("value")

    def settle(self) -> None:
        """Until what was asked for is drawn: two frames of animation."""
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def box(self, selector: str, number: int = 0) -> tuple[float, float, float, float]:
        """Left, top, width and height (pixels of the page) of the element of that number, scrolled into view."""
        place = f"document.querySelectorAll({json.dumps(selector)})[{number}]"
        self.evaluate(f"{place}.scrollIntoView({{block: 'center'}})")
        self.settle()
        box = self.evaluate(f"(() => {{ const b = {place}.getBoundingClientRect(); return [b.x + scrollX, b.y + scrollY, b.width, b.height]; }})()")
        return box[0], box[1], box[2], box[3]

    def click(self, selector: str, number: int = 0) -> None:
        """One click in the middle of an element."""
        self.drag(selector, 0, 0, number)

    def drag(self, selector: str, across: float, down: float, number: int = 0) -> None:
        """The mouse pressed in the middle of an element, moved by that many pixels in steps, and let go."""
        left, top, width, height = self.box(selector, number)
        scrolled = self.evaluate("[scrollX, scrollY]")
        x, y = left + width / 2 - scrolled[0], top + height / 2 - scrolled[1]
        self._mouse("mousePressed", x, y, 1)
        for step in range(1, 6) if across or down else ():
            self._mouse("mouseMoved", x + across * step / 5, y + down * step / 5, 1)
        self._mouse("mouseReleased", x + across, y + down, 0)
        self.settle()

    def picture(self, selector: str | None = None, number: int = 0) -> UInt8[np.ndarray, "height width 3"]:
        """What is seen of an element, or of the whole page from top to bottom, RGB."""
        self.settle()
        if selector is None:
            left, top, (width, height) = 0.0, 0.0, self.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        else:
            left, top, width, height = self.box(selector, number)
        clip = {"x": left, "y": top, "width": width, "height": height, "scale": 1}
        shot = self.ask("Page.captureScreenshot", {"format": "png", "clip": clip, "captureBeyondViewport": True})
        decoded = cv2.imdecode(np.frombuffer(base64.b64decode(shot["data"]), np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None
        return np.ascontiguousarray(decoded[..., ::-1]).astype(np.uint8)

    def save_picture(self, path: Path, selector: str | None = None, number: int = 0) -> None:
        """`picture` as a PNG file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), self.picture(selector, number)[..., ::-1])

    def _mouse(self, kind: str, x: float, y: float, buttons: int) -> None:
        event = {"type": kind, "x": x, "y": y, "button": "left", "buttons": buttons, "clickCount": 1}
        self.ask("Input.dispatchMouseEvent", event)
