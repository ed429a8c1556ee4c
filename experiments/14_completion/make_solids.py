"""Hands that hold solids of no family: `make_solids.py OUT [COUNT]`; scenes as `hoifield prior data` writes them, into OUT/scenes."""

import sys
from pathlib import Path

import numpy as np

from hoifield.actors.choose_actor import load_actor
from hoifield.result.mesh_files import write_mesh
from hoifield.shapes.random_solid import draw_random_solid
from hoifield.synthetic.held_scenes import SceneRecipe, make_held_scenes

out, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 120
(out / "solids").mkdir(parents=True, exist_ok=True)
paths = []
for seed in range(count):
    path = out / "solids" / f"{seed:04d}.ply"
    write_mesh(path, draw_random_solid(np.random.default_rng((seed, 97))))
    paths.append(str(path))
recipe = SceneRecipe(tuple(paths), (1, 999), False, 0.002)
print(make_held_scenes(out / "scenes", load_actor("anny", "right"), range(count), recipe, lambda line: print(line, flush=True)), "scenes")
