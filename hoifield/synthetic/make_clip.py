"""A clip with exact truth: a hand grasps an object and moves it before a camera."""

import json
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8

from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import write_result
from hoifield.synthetic.clip_recipe import ClipRecipe
from hoifield.synthetic.clip_scene import build_clip_scene
from hoifield.synthetic.clip_truth import describe_clip, describe_truth
from hoifield.synthetic.render_clip import SUPERSAMPLING, Exposure, render_frames
from hoifield.synthetic.room import make_room
from hoifield.synthetic.scene_sequence import SceneSequence
from hoifield.synthetic.truth_files import INTRINSICS_FILE, prepare_folder, stated_intrinsics, store_pictures


def make_clip(recipe: ClipRecipe, folder: Path) -> FitResult:
    """Write a truth folder (clip.mp4, result.json, object.ply, poses.npz, masks, depth, truth.json, truth.npz); the truth is returned.

    `store_pictures` says what truth.npz holds and what full truth adds. Poses, labels and depth are those of the middle of each exposure,
    relative to the camera, whether it moves or not. The same recipe gives the same pictures.
    """
    prepare_folder(folder, recipe)
    clip_scene = build_clip_scene(recipe)
    fine_K = np.diag([SUPERSAMPLING, SUPERSAMPLING, 1.0]) @ clip_scene.K
    room = make_room(SUPERSAMPLING * recipe.size, fine_K, recipe.seed, recipe.camera != "fixed")
    sequence = SceneSequence(clip_scene.parts, clip_scene.motion, recipe.seed)
    exposure = Exposure(recipe.motion_blur, recipe.sensor_noise, recipe.exposure_drift)
    rendered = render_frames(sequence, clip_scene.K, recipe.size, room, clip_scene.look, recipe.side, exposure)
    pictures = store_pictures(rendered, sequence, clip_scene, recipe, folder)
    write_video(folder / "clip.mp4", pictures, (recipe.size, recipe.size), recipe.frames_per_second, recipe.compression)
    if recipe.stated_focal is not None:
        (folder / INTRINSICS_FILE).write_text(stated_intrinsics(clip_scene.K, recipe.stated_focal))
    truth = describe_clip(clip_scene, recipe, folder / "clip.mp4")
    write_result(folder, truth)
    with np.load(folder / "truth.npz", allow_pickle=False) as arrays:
        seen_share = float(arrays["vertex_seen"].mean())
    (folder / "truth.json").write_text(json.dumps(describe_truth(clip_scene, recipe, seen_share), indent=1) + "\n")
    return truth


def write_video(
    path: Path, pictures: Iterable[UInt8[np.ndarray, "height width 3"]], size: tuple[int, int], frames_per_second: float, quality: int = 17
) -> None:
    """An H.264 file of RGB pictures of `size` (width, height). The same pictures give the same bytes: one thread, none that looks ahead,
    and no rate control by macroblock trees, whose sums were seen to differ from one encoding to the next.

    `quality` is the encoder's constant rate factor: 17 shows no artefacts, 35 shows many.
    """
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(frames_per_second).limit_denominator(1001))
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.options = {"crf": str(quality), "preset": "fast", "threads": "1", "x264-params": "mbtree=0:sync-lookahead=0"}
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
