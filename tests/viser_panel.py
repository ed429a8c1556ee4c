"""The page of `hoifield view` in headless Chromium: its panel used by the words on it, and pictures of a scene that has come to rest."""

import json
import time
from urllib.parse import urlsplit

import numpy as np
from headless_chromium import HeadlessChromium, Page
from jaxtyping import UInt8

PATIENCE_S = 120.0
BESIDE = """(() => {
  const visible = 'input:not([type=hidden])';
  let e = [...document.querySelectorAll('label')].find(l => l.innerText.trim() === LABEL);
  while (!e.querySelector(visible)) e = e.parentElement;
  e.querySelector(visible).setAttribute('data-beside', LABEL);
})()"""


class ViserPanel:
    """The page at the address that `hoifield view` printed, in a window of `size` = (width, height) pixels."""

    def __init__(self, browser: HeadlessChromium, address: str, size: tuple[int, int], density: float = 1.0) -> None:
        """`density`: drawn pixels per pixel; without it viser adapts them to the speed of the machine."""
        self.page: Page = browser.open_page(address, *size)
        self.wait_for("hoifield")
        self.page.ask("Page.navigate", {"url": f"http://127.0.0.1:{urlsplit(address).port}/?fixedDpr={density}"})
        self.wait_for("hoifield")

    def text(self) -> str:
        """All words of the page."""
        return str(self.page.evaluate("document.body ? document.body.innerText : ''"))

    def wait_for(self, words: str) -> None:
        """Until the page says these words."""
        end = time.monotonic() + PATIENCE_S
        while words not in self.text():
            assert time.monotonic() < end, f"{words!r} is not on the page after {PATIENCE_S} s, which says {self.text()!r}"
            time.sleep(0.2)

    def click(self, label: str) -> None:
        """The field beside a label."""
        self.page.evaluate(BESIDE.replace("LABEL", json.dumps(label)))
        self.page.click(f"[data-beside={json.dumps(label)}]")

    def write(self, label: str, text: str) -> None:
        """Text into the field beside a label, then Enter."""
        self.click(label)
        self.page.evaluate("document.activeElement.select()")
        self.page.ask("Input.insertText", {"text": text})
        for kind in ("keyDown", "keyUp"):
            self.page.ask("Input.dispatchKeyEvent", {"type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13})

    def choose(self, label: str, option: str) -> None:
        """An entry of the list beside a label."""
        self.click(label)
        self.wait_for(option)
        number = self.page.evaluate(f"[...document.querySelectorAll('[role=option]')].findIndex(o => o.innerText.trim() === {json.dumps(option)})")
        self.page.click("[role=option]", number)

    def picture(self) -> UInt8[np.ndarray, "height width 3"]:
        """The page, once two looks in a row are the same, or after ten."""
        now = self.page.picture()
        for _ in range(10):
            before = now
            time.sleep(0.5)
            now = self.page.picture()
            if np.array_equal(before, now):
                break
        return now
