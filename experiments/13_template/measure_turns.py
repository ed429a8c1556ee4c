"""How surely a template is put the right way round: `measure_turns.py TIER NAME [turns=N] [shape=OTHER]`, on saved observations.

TIER is the folder of `hoifield benchmark accuracy`, whose fits left the observations. The truth's mesh is turned at random N times and placed;
printed are the median angle and distance to its true poses, its size, and its silhouettes beside the hull's. `shape=OTHER` takes the mesh of that
clip, which is a wrong one.
"""

import sys
import time
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hoifield.actors.choose_actor import load_actor
from hoifield.actors.contact_zones import touching_vertices
from hoifield.datasets.read_truth import read_truth
from hoifield.geometry.mesh import Mesh
from hoifield.observations.object_track import ObjectTrack
from hoifield.observations.observations_folder import load_observations
from hoifield.observations.place_template import known_mesh, place_template
from hoifield.observations.shape_places import HeldBy
from hoifield.observations.track_object import holding_hand, pose_actor
from hoifield.result.fit_result import FitResult


def errors(track: ObjectTrack, turn: np.ndarray, truth: FitResult) -> tuple[float, float]:
    """Degrees and millimetres to the truth, medians over the frames that both place; `turn` took the truth's mesh to the template."""
    assert track.known_shape is not None
    both = np.isfinite(track.T_camera_object).all((1, 2)) & np.isfinite(truth.T_camera_object).all((1, 2))
    found, true = track.T_camera_object[both], truth.T_camera_object[both]
    angle = (Rotation.from_matrix(found[:, :3, :3] @ turn).inv() * Rotation.from_matrix(true[:, :3, :3])).magnitude()
    middle = turn.T @ track.known_shape.middle
    away = found[:, :3, 3] - (true[:, :3, :3] @ middle + true[:, :3, 3])
    return float(np.median(np.degrees(angle))), float(np.median(np.linalg.norm(away, axis=1)) * 1000)


def main() -> None:
    words = [word for word in sys.argv[1:] if "=" not in word]
    options = dict(word.split("=") for word in sys.argv[1:] if "=" in word)
    tier, name = Path(words[0]), words[1]
    shape = read_truth(tier / "clips" / options.get("shape", name) / "truth").result.object_mesh
    truth = read_truth(tier / "clips" / name / "truth").result
    observations = load_observations(sorted((tier / "clips" / name / "fit" / "stages" / "observe").glob("*"))[-1])
    track, hand = observations.object_track, holding_hand(observations.hands, observations.masks)
    assert track is not None and hand is not None
    pads = touching_vertices(load_actor("anny", hand.side)).numpy()
    held = HeldBy(pose_actor(hand).vertices, pads)
    for number in range(int(options.get("turns", 3))):
        turn = Rotation.random(random_state=number).as_matrix()
        started = time.process_time()
        placed = place_template(track, known_mesh(Mesh(shape.vertices @ turn.T, shape.faces)), held, observations.masks, observations.camera)
        seconds = time.process_time() - started
        known = placed.known_shape
        assert known is not None
        degrees, millimetres = errors(placed, turn, truth) if "shape" not in options else (np.nan, np.nan)
        row = f"{degrees:6.1f} deg {millimetres:6.1f} mm, size {known.size:.3f}, likeness {known.likeness:.3f}, {seconds:.0f} s of one core"
        print(f"{name} as {options.get('shape', 'itself')}, turn {number}: {row}", flush=True)


if __name__ == "__main__":
    main()
