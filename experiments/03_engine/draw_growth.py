"""The growth of a speed report as a picture: time over size, both logarithmic, a line for each thing that grows.

    python experiments/03_engine/draw_growth.py SPEED.json OUT.svg
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

WIDTH, HEIGHT, LEFT, BOTTOM = 640, 380, 60, 40
COLOURS = ("#1b6ca8", "#c1440e", "#3a7d44", "#7d3c98", "#8a6d3b")
DECADES = (1, 4)
"""Powers of ten of milliseconds, lowest and highest."""
SIZES = (2, 13)
"""Powers of two, likewise."""


def place(size: float, milliseconds: float) -> tuple[float, float]:
    """Where a point lies in the picture."""
    along = (math.log2(size) - SIZES[0]) / (SIZES[1] - SIZES[0])
    up = (math.log10(milliseconds) - DECADES[0]) / (DECADES[1] - DECADES[0])
    return LEFT + along * (WIDTH - LEFT - 10), HEIGHT - BOTTOM - up * (HEIGHT - BOTTOM - 10)


def draw_axes() -> list[str]:
    """Lines and numbers of both axes."""
    drawn = []
    for power in range(DECADES[0], DECADES[1] + 1):
        x, y = place(2 ** SIZES[0], 10**power)
        drawn.append(f'<line x1="{x}" y1="{y:.1f}" x2="{WIDTH - 10}" y2="{y:.1f}" stroke="#ccc"/>')
        drawn.append(f'<text x="{x - 6}" y="{y + 4:.1f}" text-anchor="end">{10**power}</text>')
    for power in range(SIZES[0], SIZES[1] + 1):
        x, y = place(2**power, 10 ** DECADES[0])
        drawn.append(f'<text x="{x:.1f}" y="{y + 16:.1f}" text-anchor="middle">{2**power}</text>')
    drawn.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 6}" text-anchor="middle">size</text><text x="4" y="14">ms</text>')
    return drawn


def draw_growth(number: int, name: str, found: dict[str, Any]) -> list[str]:
    """The line of one thing, and its entry in the key."""
    points = " ".join("{:.1f},{:.1f}".format(*place(size, ms)) for size, ms in zip(found["sizes"], found["ms"], strict=True))
    colour, y = COLOURS[number], 24 + 18 * number
    return [
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>',
        f'<text x="{WIDTH - 14}" y="{y}" text-anchor="end" fill="{colour}">{name}: exponent {found["exponent"]:.2f}</text>',
    ]


def main() -> None:
    """Writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    growth = json.loads(given.report.read_text(encoding="utf-8"))["growth"]
    drawn = draw_axes() + [line for number, (name, found) in enumerate(growth.items()) for line in draw_growth(number, name, found)]
    style = 'font-family="sans-serif" font-size="12"'
    body = "\n".join(drawn)
    given.out.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {style}>\n{body}\n</svg>\n', encoding="utf-8")


if __name__ == "__main__":
    main()
