"""The cameras around the object as a COLMAP text model, with the object's vertices as its points."""

import numpy as np
import torch
from jaxtyping import Float, Int

from hoifield.geometry.mesh import Mesh
from hoifield.geometry.rotations import quaternion_from_matrix
from hoifield.result.object_cameras import ObjectCameras

NO_ERROR = -1
"""COLMAP's value for a point whose reprojection error is not known."""
GREY = 0.8


def encode_colmap_model(cameras: ObjectCameras, mesh: Mesh) -> dict[str, bytes]:
    """Name -> bytes of cameras.txt, images.txt and points3D.txt; metres, world = object frame.

    Image IDs are frame numbers plus one, since COLMAP counts from 1; points have no tracks. Vertices without colours are grey.
    """
    intrinsics, camera_of_view = np.unique(cameras.K[:, [0, 1, 0, 1], [0, 1, 2, 2]], axis=0, return_inverse=True)
    return {
        "cameras.txt": _lines(_cameras(cameras, intrinsics)),
        "images.txt": _lines(_images(cameras, camera_of_view.reshape(-1))),
        "points3D.txt": _lines(_points(mesh)),
    }


def _cameras(cameras: ObjectCameras, intrinsics: Float[np.ndarray, "camera 4"]) -> list[str]:
    width, height = cameras.image_size
    rows = [f"{number} PINHOLE {width} {height} {_numbers(values)}" for number, values in enumerate(intrinsics, 1)]
    return ["# CAMERA_ID MODEL WIDTH HEIGHT FX FY CX CY (pixels; the first pixel's centre is at 0.5 0.5)", *rows]


def _images(cameras: ObjectCameras, camera_of_view: Int[np.ndarray, "view"]) -> list[str]:
    lines = ["# IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, then an empty line for its points (object frame to camera, metres)"]
    if cameras.left_out:
        lines.append(f"# left out, without a pose of the object: frames {' '.join(map(str, cameras.left_out))}")
    quaternions = quaternion_from_matrix(torch.from_numpy(cameras.T_camera_object[:, :3, :3].copy())).numpy()
    views = zip(cameras.frame_index, quaternions, cameras.T_camera_object[:, :3, 3], camera_of_view, cameras.names, strict=True)
    for frame, quaternion, translation, camera, name in views:
        lines += [f"{frame + 1} {_numbers(quaternion)} {_numbers(translation)} {camera + 1} {name}", ""]
    return lines


def _points(mesh: Mesh) -> list[str]:
    colours = np.full(mesh.vertices.shape, GREY) if mesh.colours is None else np.clip(mesh.colours, 0.0, 1.0)
    rows = zip(mesh.vertices, np.round(255 * colours).astype(int), strict=True)
    points = [f"{number} {_numbers(vertex)} {red} {green} {blue} {NO_ERROR}" for number, (vertex, (red, green, blue)) in enumerate(rows, 1)]
    return ["# POINT3D_ID X Y Z R G B ERROR (vertices of the object, object frame, metres)", *points]


def _numbers(values: Float[np.ndarray, "number"]) -> str:
    return " ".join(f"{value:.12g}" for value in values)


def _lines(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
