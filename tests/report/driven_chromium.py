"""A headless Chromium that is driven over its own debugging port, and that writes down every address it asks."""

import base64
import itertools
import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import cv2
import numpy as np

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--use-angle=swiftshader", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--hide-scrollbars",
    "--remote-debugging-port=0",
)  # fmt: skip


class DrivenChromium:
    """One page of `size` = (width, height) pixels; use as a context manager. Needs the package websockets, which comes with viser."""

    def __init__(self, folder: Path, size: tuple[int, int] = (1100, 720)) -> None:
        from websockets.sync.client import connect

        assert CHROMIUM is not None
        self.log = folder / "net.json"
        places = (f"--user-data-dir={folder / 'profile'}", f"--log-net-log={self.log}", f"--window-size={size[0]},{size[1]}")
        self.process = subprocess.Popen([CHROMIUM, *OPTIONS, *places, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = self._wait_for_port(folder / "profile" / "DevToolsActivePort")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=20) as answer:
            page = next(entry for entry in json.load(answer) if entry["type"] == "page")
        self.socket = connect(page["webSocketDebuggerUrl"], max_size=None, open_timeout=60, ping_interval=None)
        self.numbers = itertools.count(1)
        self.ask("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the browser, so that its log is complete."""
        self.ask("Browser.close")
        self.socket.close()
        self.process.wait(60)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command of the debugging protocol."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv(timeout=120))
            if message.get("id") == number:
                assert "error" not in message, (method, message)
                return message["result"]

    def value(self, expression: str) -> Any:
        """Of a JavaScript expression in the page."""
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait(self, expression: str, seconds: float = 120.0) -> None:
        """Until a JavaScript expression holds."""
        end = time.monotonic() + seconds
        while not self.value(expression):
            assert time.monotonic() < end, f"{expression} did not hold after {seconds} s; the page says {self.value('document.body.innerText')!r}"
            time.sleep(0.3)

    def picture(self) -> np.ndarray:
        """RGB of the page, once two pictures in a row are nearly the same (or after a while, of a page that moves)."""
        now = self._shot()
        for _ in range(12):
            before = now
            time.sleep(0.5)
            now = self._shot()
            if np.abs(now.astype(float) - before).mean() < 0.02:
                break
        return now

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """The left button pressed at one place and let go at another; pressed and let go at the same place it is a click."""
        self._mouse("mouseMoved", *start)
        self._mouse("mousePressed", *start)
        for step in range(1, 11):
            if start != end:
                self._mouse("mouseMoved", *(round(a + (b - a) * step / 10) for a, b in zip(start, end)))
                time.sleep(0.05)
        self._mouse("mouseReleased", *end)

    def click(self, expression: str) -> None:
        """On the middle of the element that a JavaScript expression gives."""
        box = self.value(f"(() => {{const b = ({expression}).getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]}})()")
        self.drag((round(box[0]), round(box[1])), (round(box[0]), round(box[1])))

    def choose(self, label: str, option: str) -> None:
        """An entry of the list beside a label."""
        self.click(field(label))
        self.wait(f"{entry(option)} !== undefined")
        self.click(entry(option))

    def write(self, text: str) -> None:
        """Text in the place of all that the focused field holds, then Enter."""
        self.value("document.activeElement.select()")
        self.ask("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13)

    def _mouse(self, kind: str, x: int, y: int) -> None:
        held = 0 if kind == "mouseMoved" and not getattr(self, "_pressed", False) else 1
        self._pressed = kind == "mousePressed" or (held == 1 and kind == "mouseMoved")
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left" if held else "none", buttons=held, clickCount=1)

    def _shot(self) -> np.ndarray:
        content = base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])
        return np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR))[:, :, ::-1]

    def _wait_for_port(self, path: Path) -> int:
        for _ in range(600):
            if path.is_file() and path.read_text().strip():
                return int(path.read_text().split()[0])
            time.sleep(0.1)
        raise AssertionError("Chromium did not start")


def field(label: str) -> str:
    """JavaScript for the input beside a label of viser's panel."""
    visible = "e.querySelector('input:not([type=hidden])')"
    found = f"[...document.querySelectorAll('label')].find(l => l.innerText.trim() === {label!r})"
    return f"(() => {{let e = {found}; while (!{visible}) e = e.parentElement; return {visible}}})()"


def entry(option: str) -> str:
    """JavaScript for an entry of a list that is open."""
    return f"[...document.querySelectorAll('[role=option]')].find(o => o.innerText.trim() === {option!r})"


def asked_by_pages(log: Path) -> set[str]:
    """HOST:PORT of every request that a page or its workers made, in a log that Chromium wrote. What the browser asks for itself is left out."""
    parameters = [event.get("params", {}) for event in json.loads(log.read_text())["events"]]
    made = [entry for entry in parameters if urlsplit(str(entry.get("initiator", ""))).scheme in ("http", "https") or entry.get("initiator") == "null"]
    return {urlsplit(entry["url"]).netloc for entry in made}
