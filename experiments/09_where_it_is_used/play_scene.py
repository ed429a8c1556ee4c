"""The scene.glb of a run played by three.js in Chromium without a window: is everything drawn where poses.npz has it?

    HOIFIELD_NODE_MODULES=FOLDER python experiments/09_where_it_is_used/play_scene.py RUN [--pictures DIR]

FOLDER is a node_modules folder with `three` (npm install three), outside the repository. Ends with status 1 where a check fails.
"""

import argparse
import base64
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

from headless_chromium import HeadlessChromium, Page

from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import read_result

OPENCV_IN_GLTF = np.array([1.0, -1.0, -1.0])
TOLERANCE_M = {"object": 1e-5, "anny": 1e-5, "mano": np.inf}
"""The built-in hand has four joints a vertex, as many as glTF keeps; MANO's has more, and pose correctives: its distance is only printed."""
OF_A_POINT_M = 1e-6
"""Extent of what is hidden: scaled to nothing, but for the rounding of its weights."""
BACKGROUND = 255
TYPES = {".html": "text/html", ".js": "text/javascript", ".glb": "model/gltf-binary"}


@contextmanager
def serve(scene: Path, three: Path) -> Iterator[str]:
    """The address of the page on 127.0.0.1, which serves itself, the scene and three's files and nothing else."""

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            files = {"/": Path(__file__).with_suffix(".html"), "/scene.glb": scene}
            wanted = (three / self.path.removeprefix("/three/")).resolve()
            path = files.get(self.path) or (wanted if self.path.startswith("/three/") and wanted.is_relative_to(three) else None)
            if path is None or not path.is_file():
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", TYPES[path.suffix])
            self.end_headers()
            self.wfile.write(path.read_bytes())

        def log_message(self, format: str, *words: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()


def read_positions(page: Page, name: str) -> Float[np.ndarray, "vertex 3"]:
    """Where three.js has a node's vertices, OpenCV axes, metres."""
    text = page.evaluate(f"player.positions('{name}')")
    assert text is not None, f"the scene has no mesh {name}"
    return np.frombuffer(base64.b64decode(text), np.float32).reshape(-1, 3) * OPENCV_IN_GLTF


def find_drawn(picture: UInt8[np.ndarray, "height width 3"]) -> Bool[np.ndarray, "height width"]:
    """Pixels that are not the white background."""
    return (picture != BACKGROUND).any(2)


def measure_places(page: Page, result: FitResult) -> dict[str, Float[np.ndarray, "distance"]]:
    """Node -> distance (m) of every vertex, in every frame in which it has a pose, between three.js and the result."""
    expected = {"object": (result.object_confidence > 0, lambda row: result.object_mesh.moved(result.T_camera_object[row]).vertices)}
    for hand in result.hands:
        expected[f"{hand.side}_hand"] = (hand.confidence > 0, lambda row, hand=hand: hand.vertices[row])
    distances: dict[str, list[np.ndarray]] = {name: [] for name, (present, _) in expected.items() if present.any()}
    for row, time in enumerate(result.time_s - result.time_s[0]):
        page.evaluate(f"player.show({time})")
        for name in distances:
            present, vertices = expected[name]
            if present[row]:
                distances[name].append(np.linalg.norm(read_positions(page, name) - vertices(row), axis=1))
            else:
                assert np.ptp(read_positions(page, name), axis=0).max() < OF_A_POINT_M, f"{name} is shown in frame {row}, where it has no pose"
    return {name: np.concatenate(found) for name, found in distances.items()}


def check_pictures(page: Page, result: FitResult, folder: Path | None) -> bool:
    """Whether something is drawn in four of the frames with an object, and each picture differs from the one before it."""
    pictures = []
    rows = np.flatnonzero(result.object_confidence > 0)
    for time in result.time_s[rows[np.linspace(0, len(rows) - 1, 4).astype(int)]] - result.time_s[0]:
        page.evaluate(f"player.show({time})")
        pictures.append(page.picture("canvas"))
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f"three_{time:.2f}s.png"), pictures[-1][..., ::-1])
    drawn = [float(find_drawn(picture).mean()) for picture in pictures]
    changed = [float((before != after).any(2).mean()) for before, after in zip(pictures, pictures[1:])]
    print(f"pixels drawn at four times: {' '.join(f'{share:.1%}' for share in drawn)}; changed since: {' '.join(f'{c:.1%}' for c in changed)}")
    return min(drawn) > 0.01 and min(changed) > 0.005


def play(run: Path, three: Path, folder: Path | None) -> bool:
    """Prints every figure; whether all checks hold."""
    result = read_result(run / "result")
    actors = {f"{hand.side}_hand": hand.actor for hand in result.hands}
    with serve(run / "result" / "scene.glb", three) as address, HeadlessChromium.start() as browser:
        page = browser.open_page(address, width=1000, height=600)
        browser.wait(lambda: page.evaluate("'player' in window"), "three.js to load the scene")
        played = page.evaluate("player.play(1.0)")
        print(f"played for a second: {played['drawn']} pictures, then at {played['time']:.2f} s of {page.evaluate('player.duration'):.2f} s")
        good = played["drawn"] > 1 and played["time"] > 0.5 * min(1.0, page.evaluate("player.duration"))
        good &= check_pictures(page, result, folder)
        for name, distance in measure_places(page, result).items():
            limit = TOLERANCE_M[actors.get(name, name)]
            print(f"{name}: {len(distance)} positions, mean {1e3 * distance.mean():.6f} mm, worst {1e3 * distance.max():.6f} mm of {1e3 * limit} mm")
            good &= bool(distance.max() <= limit)
        strangers = [asked for asked in page.requests if not asked.startswith((address, "blob:", "data:"))]
        print(f"asked for {len(page.requests)} addresses, {len(strangers)} of them elsewhere; complaints of the page: {page.complaints or 'none'}")
    return good and not strangers and not page.complaints


def main() -> None:
    """Parses and plays."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="folder for the four pictures")
    words = parser.parse_args()
    if "HOIFIELD_NODE_MODULES" not in os.environ:
        sys.exit("name a node_modules folder with three in HOIFIELD_NODE_MODULES")
    three = (Path(os.environ["HOIFIELD_NODE_MODULES"]) / "three").resolve()
    sys.exit(not play(words.run, three, words.pictures))


if __name__ == "__main__":
    main()
