"""Meshes of every frame, one file per frame and entity."""

from pathlib import Path
from typing import Literal

import numpy as np

from hoifield.errors import RefusedInput
from hoifield.geometry.mesh import Mesh
from hoifield.result.fit_result import FitResult
from hoifield.result.mesh_files import write_mesh

FrameMeshFormat = Literal["ply", "obj"]


def write_frame_meshes(folder: Path, result: FitResult, kind: FrameMeshFormat) -> None:
    """Write object/%06d and S_hand/%06d (S right or left), numbered as the clip's frames; camera frame, metres.

    All files of an entity have the same vertices in the same order and the same faces. A frame in which an entity has no pose has no
    file of it. Raises RefusedInput (HF-EXP-007) where no frame has any.
    """
    if not any((confidence > 0).any() for confidence in (result.object_confidence, *(hand.confidence for hand in result.hands))):
        cause = f"0 of {len(result.frame_index)} frames have a pose of object or hand"
        raise RefusedInput("HF-EXP-007", cause, "fit a clip in which hand and object are found")
    for row in np.flatnonzero(result.object_confidence > 0):
        write_mesh(folder / "object" / f"{result.frame_index[row]:06d}.{kind}", result.object_mesh.moved(result.T_camera_object[row]))
    for hand in result.hands:
        for row in np.flatnonzero(hand.confidence > 0):
            write_mesh(folder / f"{hand.side}_hand" / f"{result.frame_index[row]:06d}.{kind}", Mesh(hand.vertices[row], hand.faces))
