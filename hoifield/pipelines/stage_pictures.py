"""RUN/pictures: what the fit looked like at the end of each stage."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from hoifield.actors.skinned_model import Side, SkinnedModel
from hoifield.clip.clip import Clip
from hoifield.errors import RefusedInput
from hoifield.fitting.stage import FieldStage, Stage
from hoifield.observations.observations import Observations
from hoifield.report.report_content import Picture, picture_overlays
from hoifield.result.collect_result import collect_result
from hoifield.runlog.run_standing import stage_picture_name
from hoifield.scene.scene import Scene
from hoifield.storage import write_file

COLUMNS, ROWS = 3, 2
PICTURED_CELLS = 64
"""Cells per side of the object's cube: enough for a picture, a second's work."""


@dataclass(frozen=True)
class StagePictures:
    """Draws the scene over six frames of the clip at the end of a stage."""

    run: Path
    clip: Clip
    observations: Observations
    actors: dict[Side, SkinnedModel]
    stages: tuple[Stage, ...]

    def keep(self, stage: str, step: int, scene: Scene) -> None:
        """Writes the picture of a stage that ended with `step`; none where the field holds no surface yet."""
        try:
            result = collect_result(scene, self.observations, self.clip, self.actors, PICTURED_CELLS, self._width_after(stage))
        except RefusedInput:
            return
        encoded = encode_sheet(picture_overlays(self.clip, result, COLUMNS * ROWS))
        write_file(self.run / "pictures" / stage_picture_name(stage, step), encoded)

    def _width_after(self, stage: str) -> float:
        """Width of the surface (m) at the end of the last field stage up to this one."""
        names = [one.name for one in self.stages]
        return next(one.width_end for one in reversed(self.stages[: names.index(stage) + 1]) if isinstance(one, FieldStage))


def encode_sheet(pictures: tuple[Picture, ...]) -> bytes:
    """A JPEG of equal pictures in rows of three; missing ones are grey."""
    height, width = pictures[0].image.shape[:2]
    sheet: UInt8[np.ndarray, "height width 3"] = np.full((-(-len(pictures) // COLUMNS) * height, COLUMNS * width, 3), 128, np.uint8)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, COLUMNS)
        sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = picture.image
    _, encoded = cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 84])
    return encoded.tobytes()
