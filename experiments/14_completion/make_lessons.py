"""Render lessons ahead: `make_lessons.py SCENES OUT [first=K] [count=N]`; a shard of 250 each, those that are there are kept.

SCENES is the folder of `hoifield prior data`, or OUT/scenes of make_solids.py. Shards of several scenes' folders may share OUT under numbers
of their own. Two processes may share the work by numbers.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from hoifield.actors.choose_actor import load_actor
from hoifield.priors.completion_network import CLIPPED
from hoifield.synthetic.completion_lessons import HeldHull, draw_completion_lesson
from hoifield.synthetic.held_scenes import read_scenes

LESSONS = 250
SCALE = 127


def main() -> None:
    given = dict(argument.split("=", 1) for argument in sys.argv[3:])
    first, count = int(given.get("first", 0)), int(given.get("count", 24))
    out = Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    actor = load_actor("anny", "right")
    held = [HeldHull.of(scene, actor) for scene in read_scenes(Path(sys.argv[1]))]
    print(f"{len(held)} scenes", flush=True)
    for shard in range(first, first + count):
        path = out / f"{shard:04d}.npz"
        if path.is_file():
            continue
        generator = np.random.default_rng((shard, 29))
        lessons = []
        while len(lessons) < LESSONS:
            lesson = draw_completion_lesson(held[int(generator.integers(len(held)))], generator)
            if lesson is not None:
                lessons.append(lesson)
        channels = np.stack([np.round(lesson.channels * SCALE) for lesson in lessons]).astype(np.int8)
        distance = np.stack([np.round(lesson.distance * (SCALE / CLIPPED)) for lesson in lessons]).astype(np.int8)
        np.savez(path, channels=channels, distance=distance)
        print(f"shard {shard}", flush=True)


if __name__ == "__main__":
    main()
