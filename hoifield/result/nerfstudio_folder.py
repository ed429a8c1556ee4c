"""The cameras around the object as a nerfstudio data set: transforms.json, pictures, masks and the object's vertices."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from hoifield.geometry.mesh import Mesh
from hoifield.observations.frame_masks import LEFT_HAND, OBJECT, RIGHT_HAND
from hoifield.result.mesh_files import write_mesh
from hoifield.result.object_cameras import ObjectCameras
from hoifield.storage import write_file

OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
"""Camera axes x right, y up, looking along -z, to x right, y down, looking along z."""


def write_nerfstudio(
    folder: Path,
    cameras: ObjectCameras,
    mesh: Mesh,
    pictures: Iterable[tuple[int, UInt8[np.ndarray, "height width 3"]]],
    read_labels: Callable[[int], UInt8[np.ndarray, "height width"]],
) -> None:
    """Write the data set; metres, the world is the object's frame.

    `pictures` are (frame number, RGB) of the views at their size, `read_labels` gives a frame's labels at that size. images/ are
    RGBA with the object opaque, so that what is around it is learned to be empty; masks/ are 0 on the hands, whose pixels say neither
    object nor empty and are not to be learned from, else 255. object.ply is the cloud that splats start from.
    """
    for frame, picture in pictures:
        labels, name = read_labels(frame), f"{frame:06d}.png"
        opaque = np.where(labels == OBJECT, 255, 0).astype(np.uint8)
        write_file(folder / "images" / name, _png(np.dstack([picture[..., ::-1], opaque])))
        write_file(folder / "masks" / name, _png(np.where(np.isin(labels, (RIGHT_HAND, LEFT_HAND)), 0, 255).astype(np.uint8)))
    write_mesh(folder / "object.ply", mesh)
    write_file(folder / "transforms.json", json.dumps(_describe(cameras), indent=1).encode())


def _describe(cameras: ObjectCameras) -> dict[str, Any]:
    """The content of transforms.json; `frames_left_out` is ours and is not read by nerfstudio."""
    width, height = cameras.image_size
    return {
        "camera_model": "OPENCV",
        "w": width,
        "h": height,
        "orientation_override": "none",
        "ply_file_path": "object.ply",
        "frames_left_out": list(cameras.left_out),
        "frames": list(_views(cameras)),
    }


def _views(cameras: ObjectCameras) -> Iterator[dict[str, Any]]:
    T_object_camera = np.linalg.inv(cameras.T_camera_object) @ OPENCV_FROM_OPENGL
    for name, K, T in zip(cameras.names, cameras.K, T_object_camera, strict=True):
        yield {
            "file_path": f"images/{name}",
            "mask_path": f"masks/{name}",
            "fl_x": K[0, 0],
            "fl_y": K[1, 1],
            "cx": K[0, 2],
            "cy": K[1, 2],
            "transform_matrix": T.tolist(),
        }


def _png(picture: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", np.ascontiguousarray(picture))[1].tobytes())
