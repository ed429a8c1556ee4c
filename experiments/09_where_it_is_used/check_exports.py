"""The exports of a finished run, written and read back by readers that are not ours, each with its largest difference.

    [HOIFIELD_NODE_MODULES=FOLDER] python experiments/09_where_it_is_used/check_exports.py RUN OUT

pycolmap reads the COLMAP model, usd-core the USD, trimesh the meshes, Khronos' validator (npm install gltf-validator in FOLDER's parent) the
scene; nerfstudio's transforms go through its published formulas. What is not installed is named and left out. OUT/nerfstudio.png shows four
pictures of the data set with the object's vertices where its cameras see them.
"""

import argparse
import importlib.util
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import trimesh
from jaxtyping import Float

from hoifield.pipelines.export_run import export_run
from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import read_result

VALIDATOR = Path(__file__).resolve().parents[2] / "tests" / "result" / "validate_glb.js"
OPENCV_IN_GLTF = np.array([1.0, -1.0, -1.0])


def placed_rows(result: FitResult) -> list[int]:
    """Rows whose object has a pose."""
    return [int(row) for row in np.flatnonzero(result.object_confidence > 0)]


def project(result: FitResult, row: int) -> Float[np.ndarray, "vertex 2"]:
    """Pixels of the object's vertices by poses.npz."""
    pixels = result.object_mesh.moved(result.T_camera_object[row]).vertices @ result.K[row].T
    return pixels[:, :2] / pixels[:, 2:]


def check_colmap(folder: Path, result: FitResult) -> str:
    """Poses, projections and points as pycolmap has them."""
    import pycolmap

    model = pycolmap.Reconstruction(str(folder))
    rows = {int(frame): row for row, frame in enumerate(result.frame_index)}
    poses, pixels = 0.0, 0.0
    for image in model.images.values():
        row = rows[int(image.name[:6])]
        poses = max(poses, np.abs(image.cam_from_world().matrix() - result.T_camera_object[row][:3]).max())
        seen = np.array([image.project_point(vertex) for vertex in result.object_mesh.vertices[::20]])
        pixels = max(pixels, np.abs(seen - project(result, row)[::20]).max())
    points = np.array([model.points3D[number].xyz for number in sorted(model.points3D)])
    away = np.abs(points - result.object_mesh.vertices).max()
    return f"{len(model.images)} poses within {poses:.1e}, projections within {pixels:.1e} pixels, {len(points)} points within {away:.1e} m"


def check_usd(path: Path, result: FitResult) -> str:
    """World positions as usd-core has them."""
    from pxr import Usd, UsdGeom

    stage = Usd.Stage.Open(str(path))
    present = {"object": result.object_confidence > 0, **{f"{hand.side}_hand": hand.confidence > 0 for hand in result.hands}}
    worst = dict.fromkeys(present, 0.0)
    for row, time_s in enumerate(result.time_s - result.time_s[0]):
        time = Usd.TimeCode(round(1000 * time_s))
        for name in (name for name in present if present[name][row]):
            mesh = UsdGeom.Mesh(stage.GetPrimAtPath(f"/scene/{name}"))
            T = np.array(mesh.ComputeLocalToWorldTransform(time))
            found = (np.array(mesh.GetPointsAttr().Get(time)) @ T[:3, :3] + T[3, :3]) * OPENCV_IN_GLTF
            hand = next((hand for hand in result.hands if name.startswith(hand.side)), None)
            expected = result.object_mesh.moved(result.T_camera_object[row]).vertices if hand is None else hand.vertices[row]
            worst[name] = max(worst[name], float(np.linalg.norm(found - expected, axis=1).max()))
    return ", ".join(f"{name} within {distance:.1e} m" for name, distance in worst.items())


def check_nerfstudio(folder: Path, result: FitResult, picture: Path) -> str:
    """Projections by nerfstudio's formulas, and what the pictures show where the vertices fall."""
    frames = json.loads((folder / "transforms.json").read_text())["frames"]
    rows, worst, hits, drawn = placed_rows(result), 0.0, [], []
    for number, (row, frame) in enumerate(zip(rows, frames, strict=True)):
        T_camera_world = np.linalg.inv(np.array(frame["transform_matrix"]))
        x, y, z = T_camera_world[:3, :3] @ result.object_mesh.vertices.T + T_camera_world[:3, 3:]
        seen = np.stack([frame["cx"] + frame["fl_x"] * x / -z, frame["cy"] - frame["fl_y"] * y / -z], axis=1)
        worst = max(worst, np.abs(seen - project(result, row)).max())
        image = cv2.imread(str(folder / frame["file_path"]), cv2.IMREAD_UNCHANGED)
        mask = cv2.imread(str(folder / frame["mask_path"]), cv2.IMREAD_UNCHANGED)
        inside = (seen >= 0).all(1) & (seen < image.shape[1::-1]).all(1)
        column, line = np.floor(seen[inside]).astype(int).T
        hits.append(((image[line, column, 3] > 0) | (mask[line, column] == 0)).mean())
        if number in np.linspace(0, len(rows) - 1, 4).astype(int):
            shown = np.where(image[..., 3:] > 0, image[..., :3], 255 - (255 - image[..., :3]) // 4)
            shown[mask == 0] = (160, 160, 160)
            shown[line[::40], column[::40]] = (0, 0, 255)
            drawn.append(shown)
    cv2.imwrite(str(picture), np.hstack(drawn))
    return f"{len(frames)} views, projections within {worst:.1e} pixels; {np.mean(hits):.1%} of the vertices on pixels of object or hand"


def check_frames(folder: Path, result: FitResult, kind: str) -> str:
    """Vertices and faces of every file as trimesh has them."""
    worst, files = 0.0, 0
    for name, mesh_of, confidence in (
        ("object", lambda row: result.object_mesh.moved(result.T_camera_object[row]).vertices, result.object_confidence),
        *((f"{hand.side}_hand", lambda row, hand=hand: hand.vertices[row], hand.confidence) for hand in result.hands),
    ):
        faces = result.object_mesh.faces if name == "object" else next(hand.faces for hand in result.hands if name.startswith(hand.side))
        for row in np.flatnonzero(confidence > 0):
            read = trimesh.load_mesh(folder / name / f"{result.frame_index[row]:06d}.{kind}", process=False)
            assert np.array_equal(read.faces, faces)
            worst, files = max(worst, np.linalg.norm(read.vertices - mesh_of(row), axis=1).max()), files + 1
    return f"{files} files within {worst:.1e} m, faces equal"


def check_scene(path: Path) -> str:
    """What Khronos' validator says."""
    environment: dict[str, Any] = {**os.environ, "NODE_PATH": os.environ["HOIFIELD_NODE_MODULES"]}
    finished = subprocess.run(["node", str(VALIDATOR), str(path)], env=environment, capture_output=True, text=True, check=True)
    issues = json.loads(finished.stdout)[0]["issues"]
    return ", ".join(f"{issues[f'num{kind}']} {kind.lower()}" for kind in ("Errors", "Warnings", "Infos", "Hints"))


def main() -> None:
    """Exports, reads back, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("out", type=Path, metavar="OUT")
    words = parser.parse_args()
    run, out = words.run, words.out
    result = read_result(run / "result")
    for kind in ("ply", "obj"):
        print(f"{kind} --frames: {check_frames(export_run(run, kind, out / kind, frames=True).path, result, kind)}")
    nerfstudio = export_run(run, "nerfstudio", out / "nerfstudio")
    print(f"nerfstudio: {check_nerfstudio(nerfstudio.path, result, out / 'nerfstudio.png')}; left out: {len(nerfstudio.left_out)} frames")
    if importlib.util.find_spec("pycolmap"):
        print(f"colmap: {check_colmap(export_run(run, 'colmap', out / 'colmap').path, result)}")
    else:
        print("colmap: pycolmap is not installed")
    if importlib.util.find_spec("pxr"):
        print(f"usd: {check_usd(export_run(run, 'usd', out / 'scene.usda').path, result)}")
    else:
        print("usd: usd-core is not installed")
    if "HOIFIELD_NODE_MODULES" in os.environ:
        print(f"glb: {check_scene(export_run(run, 'glb', out / 'scene.glb').path)}")
    else:
        print("glb: no node_modules folder in HOIFIELD_NODE_MODULES")


if __name__ == "__main__":
    main()
