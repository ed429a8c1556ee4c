"""What the field makes of an object when camera, masks and poses are the truth's, beside the hull that it starts from.

    python experiments/05_field/measure.py TIER_FOLDER CLIP ... [--out FOLDER] [--aligned]

TIER_FOLDER is the --out of `hoifield benchmark accuracy`, with clips/NAME/truth. Two lines a clip: the hull and the field. Seconds are of the
fit with its hull; F5, F10 and CD compare the meshes as they lie (true poses need no alignment), "seen" is the surface that any frame shows.
"concave" is the mean distance (mm) to the mesh of seen surface that the hull misses by more than 2 mm, with its share of the seen surface.
--aligned adds F5 of the seen surface after ICP with scale, as benchmarks give it. --out keeps meshes and their pictures.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial import cKDTree

from hoifield.benchmark.anchors import solve_exactly
from hoifield.clip.open_clip import open_clip
from hoifield.datasets.read_truth import read_truth
from hoifield.datasets.truth import Truth
from hoifield.evaluation.evaluate import evaluate_shape
from hoifield.evaluation.shape_metrics import SURFACE_SAMPLES, compare_surfaces, split_by_seen
from hoifield.geometry.mesh import Mesh, sample_surface, signed_volume
from hoifield.geometry.mesh_distance import MeshDistance
from hoifield.report.turntable import render_turntable
from hoifield.result.mesh_files import write_mesh

HULL_OFF = 0.002


@dataclass(frozen=True)
class ShapeFigures:
    """One mesh against the truth, as it lies."""

    f5_seen: float
    f5: float
    f10: float
    cd_cm2: float
    volume_ratio: float
    seen_mm: float
    """Mean distance of the seen surface to the mesh."""
    concave_mm: float
    """The same of what the hull misses by more than 2 mm."""

    def line(self) -> str:
        """The figures in the order of HEADER."""
        return f"{self.f5_seen:6.2f} {self.f5:6.2f} {self.f10:6.2f} {self.cd_cm2:7.3f} {self.volume_ratio:6.3f} {self.seen_mm:6.2f} {self.concave_mm:6.2f}"


HEADER = f"{'clip':26s} {'of':5s} {'s':>5s} {'cpu s':>5s} {'F5seen':>6s} {'F5':>6s} {'F10':>6s} {'CD cm2':>7s} {'volume':>6s} {'seen':>6s} {'concave':>7s}"


def compare(mesh: Mesh, truth: Truth, hull: Mesh) -> tuple[ShapeFigures, float]:
    """Figures of a mesh, and the concave share (percent) of the seen surface."""
    generator = np.random.default_rng(0)
    true_mesh = truth.result.object_mesh
    assert truth.vertex_seen is not None
    points, true_points = sample_surface(mesh, SURFACE_SAMPLES, generator), sample_surface(true_mesh, SURFACE_SAMPLES, generator)
    seen = truth.vertex_seen[cKDTree(true_mesh.vertices).query(true_points)[1]]
    part, _ = split_by_seen(points, true_points, seen)
    assert part is not None
    whole = compare_surfaces(mesh, true_mesh, generator)
    off = np.abs(MeshDistance(mesh.vertices, mesh.faces).closest(true_points).signed_distance)
    concave = seen & (np.abs(MeshDistance(hull.vertices, hull.faces).closest(true_points).signed_distance) > HULL_OFF)
    figures = ShapeFigures(
        part.f_score_pct(0.005),
        whole.f_score_pct(0.005),
        whole.f_score_pct(0.010),
        whole.chamfer_squared_cm2,
        signed_volume(mesh) / signed_volume(true_mesh),
        1e3 * float(off[seen].mean()),
        1e3 * float(off[concave].mean()) if concave.any() else float("nan"),
    )
    return figures, 100 * float(concave.sum() / seen.sum())


def measure(folder: Path, name: str, out: Path | None, aligned: bool) -> None:
    """Fits one clip and prints its two lines."""
    truth_folder = folder / "clips" / name / "truth"
    clip, truth = open_clip(truth_folder / "clip.mp4"), read_truth(truth_folder)
    with tempfile.TemporaryDirectory() as scratch:
        hull = solve_exactly("hull_true_poses", Path(scratch) / "hull", clip, truth, 0, lambda *_: None)
        started, cpu = time.monotonic(), time.process_time()
        field = solve_exactly("field_true_poses", Path(scratch) / "field", clip, truth, 0, lambda *_: None)
        seconds = (time.monotonic() - started, time.process_time() - cpu)
    for what, result, spent in (("hull", hull, (float("nan"),) * 2), ("field", field, seconds)):
        figures, share = compare(result.object_mesh, truth, hull.object_mesh)
        after = f"  seen F5 aligned {evaluate_shape(result, truth_folder).measured()['f5_seen_pct']:.2f}" if aligned else ""
        print(f"{name:26s} {what:5s} {spent[0]:5.0f} {spent[1]:5.0f} {figures.line()} ({share:.1f} %){after}", flush=True)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            write_mesh(out / f"{name}-{what}.ply", result.object_mesh)
            cv2.imwrite(str(out / f"{name}-{what}.png"), render_turntable(result.object_mesh, clay=True)[..., ::-1])


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("clips", nargs="+")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--aligned", action="store_true")
    arguments = parser.parse_args()
    print(HEADER)
    for name in arguments.clips:
        measure(arguments.folder, name, arguments.out, arguments.aligned)


if __name__ == "__main__":
    main()
