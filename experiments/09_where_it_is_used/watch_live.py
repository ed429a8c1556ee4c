"""`hoifield view RUN --live` in a headless Chromium beside the fit that writes RUN: each state that the page shows, when, with a picture.

`python experiments/09_where_it_is_used/watch_live.py RUN OUT` needs viser and Chromium; ends when the page says that the run is finished.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

import cv2

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

from headless_chromium import HeadlessChromium
from viser_panel import ViserPanel

SIZE = (1000, 640)
STATE = re.compile(
    r"Nothing has been observed yet\.|observed, before the fit|before \w+, stage \d of \d|\w+, step \d+ of \d+|all stages done[^\n]*|finished: \w+"
)


def main() -> None:
    """Carries it out."""
    run, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    started, shown = time.monotonic(), ""
    program = [sys.executable, "-m", "hoifield", "view", str(run), "--live"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        address = served.stdout.readline().strip()
        try:
            with HeadlessChromium.start() as browser:
                panel = ViserPanel(browser, address, SIZE)
                while not shown.startswith("finished"):
                    time.sleep(2)
                    found = STATE.search(panel.text())
                    if found is None or found.group() == shown:
                        continue
                    shown = found.group()
                    seconds, name = time.monotonic() - started, re.sub(r"\W+", "_", shown)
                    newest = sorted(path.name for path in (run / "ckpt").glob("[0-9]*"))[-1:]
                    print(f"{seconds:6.0f} s  {shown}  (newest checkpoint {newest})", flush=True)
                    time.sleep(5)
                    cv2.imwrite(str(out / f"{seconds:06.0f}_{name}.png"), panel.picture()[:, :, ::-1])
        finally:
            served.terminate()


if __name__ == "__main__":
    main()
