"""The animated scene as a USD text layer (usda 1.0); written without the USD libraries, readable by them."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

from hoifield.result.fit_result import FitResult, HandResult
from hoifield.result.glb_file import linear_from_srgb
from hoifield.result.scene_glb import SKIN_COLOUR

TICKS_PER_SECOND = 1000
"""Time codes are milliseconds from the first frame, so that uneven frame times stay exact to 1 ms."""


def encode_usd(result: FitResult) -> bytes:
    """The bytes of a .usda or .usd file: metres, y up, the object on its pose track, each hand with its vertices per frame.

    Frames without a pose are invisible; between the frames of a gap the last pose is held, so that nothing moves through it.
    """
    times = np.round((result.time_s - result.time_s[0]) * TICKS_PER_SECOND).astype(np.int64)
    lines = ["#usda 1.0", "("]
    lines += ['    defaultPrim = "scene"', f"    endTimeCode = {times[-1]}", "    metersPerUnit = 1", "    startTimeCode = 0"]
    lines += [f"    timeCodesPerSecond = {TICKS_PER_SECOND}", '    upAxis = "Y"', ")", ""]
    lines += ['def Xform "scene"', "{"]
    lines += ["    matrix4d xformOp:transform = ( (1, 0, 0, 0), (0, -1, 0, 0), (0, 0, -1, 0), (0, 0, 0, 1) )"]
    lines += ['    uniform token[] xformOpOrder = ["xformOp:transform"]', ""]
    lines += _object_prim(result, times)
    for hand in result.hands:
        lines += _hand_prim(hand, times)
    lines += ["}", ""]
    return "\n".join(lines).encode()


def _object_prim(result: FitResult, times: Int[np.ndarray, "frame"]) -> list[str]:
    present = result.object_confidence > 0
    lines = ['    def Mesh "object"', "    {", *_topology(result.object_mesh.faces)]
    lines.append(f"        point3f[] points = {_rows(result.object_mesh.vertices)}")
    if result.object_mesh.colours is not None:
        lines.append(f"        color3f[] primvars:displayColor = {_rows(linear_from_srgb(result.object_mesh.colours))} (")
        lines += ['            interpolation = "vertex"', "        )"]
    if present.any():
        keys = [(time, _matrix(result.T_camera_object[row])) for time, row in _held(times, present)]
        lines += _samples("matrix4d xformOp:transform", keys)
        lines.append('        uniform token[] xformOpOrder = ["xformOp:transform"]')
    return [*lines, *_visibility(times, present), "    }", ""]


def _hand_prim(hand: HandResult, times: Int[np.ndarray, "frame"]) -> list[str]:
    present = hand.confidence > 0
    if not present.any():
        return []
    lines = [f'    def Mesh "{hand.side}_hand"', "    {", *_topology(hand.faces)]
    lines += _samples("point3f[] points", [(time, _rows(hand.vertices[row])) for time, row in _held(times, present)])
    red, green, blue = linear_from_srgb(np.array(SKIN_COLOUR))
    lines.append(f"        color3f[] primvars:displayColor = [({red:.4f}, {green:.4f}, {blue:.4f})]")
    return [*lines, *_visibility(times, present), "    }", ""]


def _held(times: Int[np.ndarray, "frame"], present: np.ndarray) -> Iterator[tuple[int, int]]:
    """(time, row) of every frame with a pose; the last frame of a gap repeats the pose before the gap."""
    rows = np.flatnonzero(present)
    for row, following in zip(rows, [*rows[1:], None]):
        yield int(times[row]), int(row)
        if following is not None and following > row + 1:
            yield int(times[following - 1]), int(row)


def _visibility(times: Int[np.ndarray, "frame"], present: np.ndarray) -> list[str]:
    keys = [(int(time), '"inherited"' if shown else '"invisible"') for time, shown in zip(times, present)]
    return _samples("token visibility", keys)


def _samples(name: str, keys: list[tuple[int, str]]) -> list[str]:
    return [f"        {name}.timeSamples = {{", *(f"            {time}: {value}," for time, value in keys), "        }"]


def _topology(faces: Int[np.ndarray, "face 3"]) -> list[str]:
    lines = [f"        int[] faceVertexCounts = [{', '.join(['3'] * len(faces))}]"]
    lines.append(f"        int[] faceVertexIndices = [{', '.join(str(index) for index in faces.reshape(-1))}]")
    return [*lines, '        uniform token subdivisionScheme = "none"', '        uniform token orientation = "rightHanded"']


def _rows(values: Float[np.ndarray, "row 3"]) -> str:
    return "[" + ", ".join(f"({x:.7g}, {y:.7g}, {z:.7g})" for x, y, z in values) + "]"


def _matrix(T: Float[np.ndarray, "4 4"]) -> str:
    """USD multiplies row vectors from the left: the transpose."""
    return "( " + ", ".join("(" + ", ".join(f"{value:.9g}" for value in column) + ")" for column in T.T) + " )"
