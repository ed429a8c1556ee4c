"""`hoifield view RUN` in a headless Chromium: what is drawn, what moves, what is asked of a network, and what is seen without the token.

`python experiments/09_where_it_is_used/check_viewer.py RUN OUT` needs viser and Chromium; writes pictures into OUT and prints the figures.
"""

import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

from headless_chromium import HeadlessChromium, asked_by_pages
from viser_panel import ViserPanel

SIZE = (1000, 640)
SCENE = np.s_[160:, :660]
"""Where no panel and no notice lies over the scene."""
HANDSHAKE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
LOOK = "[...document.querySelectorAll('button')].findIndex(b => b.innerText.includes('look through'))"


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


def look(panel: ViserPanel, out: Path) -> dict[str, float | str]:
    """Goes through the switches like a person; gives what changed, and keeps pictures."""

    def keep(name: str) -> np.ndarray:
        picture = panel.picture()
        cv2.imwrite(str(out / f"{name}.png"), picture[:, :, ::-1])
        return picture

    panel.wait_for("stands still")
    time.sleep(5)
    first, again = keep("first"), panel.picture()
    white = float((first[SCENE].min(-1) > 250).mean())
    figures: dict[str, float | str] = {"share of the scene that is not white": 1 - white, "same frame again": difference(first, again)}
    panel.page.drag("canvas", 160, -40)
    figures["camera dragged"] = difference(first, keep("dragged"))
    panel.page.click("button", panel.page.evaluate(LOOK))
    time.sleep(3)
    through = keep("through_the_camera")
    middle = int(panel.page.evaluate("Number(document.querySelector('[role=slider]').getAttribute('aria-valuemax'))")) // 2
    panel.write("frame", str(middle))
    panel.wait_for(f"frame {middle},")
    other = keep("other_frame")
    figures["other frame"] = difference(through, other)
    for colouring, legend in (("seen", "never saw it"), ("confidence", "of the pose in this frame")):
        panel.choose("colours", colouring)
        panel.wait_for(legend)
        time.sleep(3)
        figures[f"colours: {colouring}"] = difference(other, keep(f"colours_{colouring}"))
    panel.choose("colours", "filmed")
    panel.choose("stands still", "object")
    time.sleep(5)
    still = keep("object_stands_still")
    for switch in ("picture", "cameras", "wire", "hand"):
        panel.click(switch)
        time.sleep(2)
        now = keep(f"switched_{switch}")
        figures[f"switch {switch}"] = difference(still, now)
        still = now
    panel.click("play")
    time.sleep(5)
    shown = {panel.page.evaluate("document.body.innerText.match(/frame (\\d+),/)[1]") for _ in range(4) if time.sleep(1) is None}
    figures["frames seen while playing"] = len(shown)
    refused = panel.page.evaluate("fetch('http://127.0.0.1:9/').then(() => false, () => true)")
    complained = any("Content Security Policy" in said and "127.0.0.1:9/" in said for said in panel.page.complaints)
    figures["a request to elsewhere"] = "refused by the page's policy" if refused and complained else "not refused"
    return figures


def ask_elsewhere(net_log: Path) -> set[str]:
    """The control: what the log holds of a page that does ask another address."""
    with HeadlessChromium.start(net_log) as browser:
        browser.open_page("data:text/html,<img src='http://127.0.0.1:9/x.png'>")
        time.sleep(1)
    return asked_by_pages(net_log)


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
            with HeadlessChromium.start(out / "net.json") as browser:
                figures |= look(ViserPanel(browser, address, SIZE), out)
            figures["asked by pages"] = sorted(asked_by_pages(out / "net.json"))
        finally:
            served.terminate()
    figures["control, asked by a page that asks elsewhere"] = sorted(ask_elsewhere(out / "control.json"))
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
