"""The report and the comparison of finished runs in headless Chromium: what they ask for, how their scenes change, and pictures to look at.

    python experiments/09_where_it_is_used/look_at_pages.py OUT RUN RUN ...
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from hoifield.report.compare import write_comparison

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

from headless_chromium import HeadlessChromium, Page


def changed(before: np.ndarray, after: np.ndarray) -> str:
    """Share of pixels that changed visibly."""
    return f"{(np.abs(before.astype(int) - after).max(2) > 24).mean():.1%}"


def turn(page: Page) -> None:
    """Prints how every scene of the page changes when the first one is dragged, and by itself."""
    count = page.evaluate("document.querySelectorAll('canvas').length")
    before = [page.picture("canvas", number) for number in range(count)]
    still = [page.picture("canvas", number) for number in range(count)]
    page.drag("canvas", 120, 40, 0)
    after = [page.picture("canvas", number) for number in range(count)]
    print("  scenes changed by themselves:", *(changed(*pair) for pair in zip(before, still)))
    print("  scenes changed by a drag of the first:", *(changed(*pair) for pair in zip(before, after)))


def look(browser: HeadlessChromium, path: Path, out: Path) -> None:
    """One page at two widths, light and dark."""
    print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
    for width, dark in ((1400, False), (700, False), (1400, True)):
        started = time.monotonic()
        page = browser.open_page(path.as_uri(), width=width, dark=dark)
        print(f"  {width} pixels{', dark' if dark else ''}: loaded in {time.monotonic() - started:.1f} s")
        page.save_picture(out / f"{path.stem}_{width}{'_dark' if dark else ''}.png")
        if (width, dark) == (1400, False):
            turn(page)
        embedded = len(page.requests) - len(page.network_requests())
        print(f"  asked of a network: {len(page.network_requests())}; embedded or on the disk: {embedded}; errors: {len(page.complaints)}")


def main() -> None:
    """Writes the comparison, then looks at it and at the first run's report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    options = parser.parse_args()
    write_comparison(options.runs, options.out / "compare.html")
    with HeadlessChromium.start() as browser:
        look(browser, options.runs[0].resolve() / "report" / "report.html", options.out)
        look(browser, options.out.resolve() / "compare.html", options.out)


if __name__ == "__main__":
    main()
