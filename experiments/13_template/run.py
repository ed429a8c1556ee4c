"""Fits of generated clips with and without the object's mesh: `run.py TIER OUT NAME ... [by=word]`; the same command goes on.

TIER is the folder of `hoifield benchmark accuracy`, in which the clips lie and were fitted without help. The template is the truth's mesh, turned
by a fixed rotation, moved and in centimetres, so that its frame and units say nothing. With `by=word` it is the word for the object alone.
"""

import sys
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hoifield.datasets.read_truth import read_truth
from hoifield.evaluation.evaluate import evaluate
from hoifield.geometry.mesh import Mesh
from hoifield.pipelines.fit_video import FitVideoConfig, fit_video
from hoifield.pipelines.observe import ObserveConfig
from hoifield.result.fit_result import FitResult
from hoifield.result.mesh_files import write_mesh
from hoifield.result.result_folder import read_result
from hoifield.shapes.draw_family import find_shape_name

SCORES = ("f5_icp_pct", "f10_icp_pct", "cd_icp_cm2", "pose_rot_deg", "mpjpe_ra_mm", "cd_hand_cm2", "penetration_cm3", "contact_f1", "mask_iou_object")


def disguise(mesh: Mesh) -> Mesh:
    """The mesh in another frame and unit, without colours."""
    rotation = Rotation.from_rotvec([0.7, -1.9, 1.1]).as_matrix()
    return Mesh(100.0 * (mesh.vertices @ rotation.T + np.array([0.3, -0.1, 0.2])), mesh.faces)


def describe(name: str, result: FitResult, truth: Path) -> str:
    """A row of scores."""
    scores = {score.name: score.value for score in evaluate(result, truth).scores}
    return f"{name:42s} {result.summary['status']:9s}" + "".join(f" {scores[key]:15.3f}" for key in SCORES)


def main() -> None:
    tier, out = Path(sys.argv[1]), Path(sys.argv[2])
    by_word = "by=word" in sys.argv
    out.mkdir(parents=True, exist_ok=True)
    print(f"{'':52s}" + "".join(f" {key:>15s}" for key in SCORES), flush=True)
    for name in (word for word in sys.argv[3:] if "=" not in word):
        truth = tier / "clips" / name / "truth"
        write_mesh(out / f"{name}.ply", disguise(read_truth(truth).result.object_mesh))
        family = find_shape_name(name.rsplit("-", 2)[0]) if by_word else None
        config = FitVideoConfig(ObserveConfig(template=family or out / f"{name}.ply"))
        outcome = fit_video(truth / "clip.mp4", out / name, config, lambda line: None, lambda *told: None)
        print(describe(name, read_result(tier / "clips" / name / "fit" / "result"), truth), flush=True)
        codes = " ".join(reason["code"] for reason in outcome.reasons)
        print(describe(f"{name}, template", read_result(out / name / "result"), truth), codes, flush=True)


if __name__ == "__main__":
    main()
