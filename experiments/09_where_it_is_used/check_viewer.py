"""`hoifield view RUN` in a headless Chromium: what is drawn, what moves, what is asked of a network, and what is seen without the token.

`python experiments/09_where_it_is_used/check_viewer.py RUN OUT` needs viser and Chromium; writes pictures into OUT and prints the figures.
"""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests" / "report"))

from driven_chromium import DrivenChromium, asked_by_pages, field

SIZE = (1000, 640)
SCENE = np.s_[160:, :660]
"""Where no panel and no notice lies over the scene."""
HANDSHAKE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
LOOK = "[...document.querySelectorAll('button')].find(b => b.innerText.includes('look through'))"


def statuses_without_token(address: str) -> dict[str, int]:
    """HTTP status and bytes of answers to whoever has no token, a wrong one, or asks from a foreign page; with the token for comparison."""
    place = urlsplit(address)
    right = f"hoifield_{place.port}={place.path.removeprefix('/open/')}"
    cases = {
        "page": ("/", {}),
        "websocket": ("/", HANDSHAKE),
        "wrong token": ("/open/wrong", {}),
        "wrong cookie": ("/", {"Cookie": f"hoifield_{place.port}=wrong"}),
        "websocket, foreign origin, right cookie": ("/", {**HANDSHAKE, "Cookie": right, "Origin": "http://evil.example"}),
        "page, foreign host, right cookie": ("/", {"Host": "evil.example", "Cookie": right}),
        "page, right cookie": ("/", {"Cookie": right}),
        "websocket, right cookie": ("/", {**HANDSHAKE, "Cookie": right}),
    }
    found = {}
    for name, (path, headers) in cases.items():
        connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=10)
        connection.request("GET", path, headers=headers)
        found[name] = connection.getresponse().status
        connection.close()
    return found


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Share of the scene's pixels that differ by more than 8 of 255 in some channel."""
    return float((np.abs(one[SCENE].astype(int) - other[SCENE]).max(-1) > 8).mean())


def look(browser: DrivenChromium, address: str, out: Path) -> dict[str, float | str]:
    """Goes through the switches like a person; gives what changed, and keeps pictures."""
    place = urlsplit(address)

    def keep(name: str) -> np.ndarray:
        picture = browser.picture()
        cv2.imwrite(str(out / f"{name}.png"), picture[:, :, ::-1])
        return picture

    browser.ask("Page.navigate", url=address)
    browser.wait("document.body && document.body.innerText.includes('stands still')")
    # One picture element per pixel, or viser adapts the resolution to the speed of the machine
    browser.ask("Page.navigate", url=f"http://127.0.0.1:{place.port}/?fixedDpr=1")
    browser.wait("document.body && document.body.innerText.includes('stands still')")
    browser.wait("[...document.querySelectorAll('canvas')].some(c => c.width > 100)")
    time.sleep(8)
    first, again = keep("first"), browser.picture()
    white = float((first[SCENE].min(-1) > 250).mean())
    figures: dict[str, float | str] = {"share of the scene that is not white": 1 - white, "same frame again": difference(first, again)}
    browser.drag((300, 560), (460, 520))
    figures["camera dragged"] = difference(first, keep("dragged"))
    browser.click(LOOK)
    time.sleep(3)
    through = keep("through_the_camera")
    last = int(browser.value("Number(document.querySelectorAll('[role=slider]')[0].getAttribute('aria-valuemax'))"))
    browser.click(field("frame"))
    browser.write(str(last // 2))
    browser.wait(f"document.body.innerText.includes('frame {last // 2},')")
    other = keep("other_frame")
    figures["other frame"] = difference(through, other)
    for colouring, legend in (("seen", "never saw it"), ("confidence", "of the pose in this frame")):
        browser.choose("colours", colouring)
        browser.wait(f"document.body.innerText.includes({legend!r})")
        time.sleep(3)
        figures[f"colours: {colouring}"] = difference(other, keep(f"colours_{colouring}"))
    browser.choose("colours", "filmed")
    browser.choose("stands still", "object")
    time.sleep(8)
    still = keep("object_stands_still")
    for switch in ("picture", "cameras", "wire", "hand"):
        browser.click(field(switch))
        time.sleep(2)
        now = keep(f"switched_{switch}")
        figures[f"switch {switch}"] = difference(still, now)
        still = now
    browser.click(field("play"))
    time.sleep(6)
    shown = {browser.value("document.body.innerText.match(/frame (\\d+),/)[1]") for _ in range(4) if time.sleep(1) is None}
    figures["frames seen while playing"] = len(shown)
    # The page's own policy: a request to another address goes nowhere.
    browser.value("window.asked = 0; fetch('http://192.0.2.1/').catch(() => {window.asked = 2}); 1")
    time.sleep(2)
    figures["a request to elsewhere"] = "refused by the page's policy" if browser.value("window.asked") == 2 else "not refused"
    return figures


def ask_elsewhere(folder: Path) -> set[str]:
    """The control: what the log holds of a page that does ask another address."""
    with DrivenChromium(folder, SIZE) as browser:
        browser.ask("Page.navigate", url="data:text/html,<img src='http://192.0.2.1/x.png'>")
        time.sleep(3)
    return asked_by_pages(browser.log)


def main() -> None:
    """Carries it out."""
    run, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    program = [sys.executable, "-m", "hoifield", "view", str(run)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as served:
        assert served.stdout is not None
        address = served.stdout.readline().strip()
        try:
            figures: dict[str, object] = {"status": statuses_without_token(address)}
            with tempfile.TemporaryDirectory() as folder:
                with DrivenChromium(Path(folder), SIZE) as browser:
                    figures |= look(browser, address, out)
                figures["asked by pages"] = sorted(asked_by_pages(browser.log))
        finally:
            served.terminate()
    with tempfile.TemporaryDirectory() as folder:
        figures["control, asked by a page that asks elsewhere"] = sorted(ask_elsewhere(Path(folder)))
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
