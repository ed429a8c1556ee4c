"""The benchmark as one page: the table, and for every clip truth beside result."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from hoifield.benchmark.method_row import MethodRow
from hoifield.benchmark.tier_summary import TierSummary
from hoifield.benchmark.tier_table import write_table
from hoifield.benchmark.tiers import BenchmarkClip
from hoifield.clip.open_clip import open_clip
from hoifield.report.figures import draw_badge
from hoifield.report.markup import Markup, element, join, picture_uri, write_page
from hoifield.report.overlay_video import draw_overlay_frame
from hoifield.report.turntable import render_turntable
from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import read_result
from hoifield.storage import is_committed

SHOWN_FRAMES = 4
FRAME_SIDE = 200
VIEWS, VIEW_SIDE = 5, 110
Picture = UInt8[np.ndarray, "height width 3"]


def render_tier_page(title: str, clips: Sequence[BenchmarkClip], folder: Path, rows: Sequence[MethodRow], summary: TierSummary) -> str:
    """One self-contained page. `folder` holds the folders of the clips; clips that were not made are left out."""
    table = element("div", element("pre", write_table(rows, summary)), class_="card wide")
    sections = [_clip_section(clip, folder / clip.name, [row for row in rows if row.clip == clip.name]) for clip in clips]
    body = join(element("header", element("h1", title)), table, *(section for section in sections if section is not None))
    return write_page(title, body)


def draw_truth(folder: Path) -> Picture:
    """Frames of a clip above, the true meshes drawn over them below."""
    return np.concatenate([_frames(folder, None), _frames(folder, read_result(folder))])


def _clip_section(clip: BenchmarkClip, folder: Path, rows: Sequence[MethodRow]) -> Markup | None:
    if not is_committed(folder / "truth"):
        return None
    parts: list[Markup] = [_figure(draw_truth(folder / "truth"), "the clip; below it the truth"), _figure(_views(folder / "truth"), "the true object")]
    if is_committed(folder / "fit" / "result") and (folder / "fit" / "result" / "object.ply").is_file():
        parts.append(_figure(_frames(folder / "truth", read_result(folder / "fit" / "result")), "the fit"))
    for row in rows:
        result = folder / row.method / "result"
        if (result / "object.ply").is_file():
            words = ", ".join(f"{name} {row.scores[name]:.3g}" for name in ("f5_icp_pct", "cd_icp_cm2", "cd_hand_cm2") if name in row.scores)
            parts.append(_figure(_views(result), f"{row.method}: {words}"))
        elif row.codes:
            parts.append(element("p", f"{row.method}: no result ({', '.join(row.codes)})"))
    status = next((draw_badge(row.status) for row in rows if row.method == "fit"), None)
    told = element("p", f"{clip.recipe.frames} frames, {clip.recipe.size} pixels, {clip.recipe.side} hand, told {clip.given}")
    return element("section", element("h2", clip.name, " ", status), told, *parts)


def _figure(picture: Picture, words: str) -> Markup:
    return element("figure", element("div", element("img", src=picture_uri(picture), alt=words), class_="picture"), element("figcaption", words))


def _views(folder: Path) -> Picture:
    return render_turntable(read_result(folder).object_mesh, views=VIEWS, size=VIEW_SIDE, clay=True)


def _frames(folder: Path, drawn: FitResult | None) -> Picture:
    """Some frames of the clip side by side, with a result over them where one is given."""
    clip = open_clip(folder / "clip.mp4")
    chosen = np.linspace(0, clip.frame_count - 1, SHOWN_FRAMES + 2).round().astype(int)[1:-1]
    pictures = []
    for number, frame in clip.read_frames(chosen.tolist(), (FRAME_SIDE, FRAME_SIDE)):
        row = None if drawn is None else int(np.flatnonzero(drawn.frame_index == number)[0])
        pictures.append(frame if drawn is None else draw_overlay_frame(frame, drawn, row))
    return np.concatenate(pictures, axis=1)
