"""A predictor that keeps what it is told, and repeats each label's nearest prompted frame in all others.

Arguments, shapes, order of frames and complaints are those of `SAM2VideoPredictor` of sam2 1.1.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

RADIUS = 12.0
"""Of the disc that one point grows to, pixels of the pictures."""
built: list["StandInPredictor"] = []


class StandInPredictor:
    """Scores: +-5 for masks; for points the distance to the nearest point off the label less that to the nearest on it, inside a disc."""

    def __init__(self, config: str, device: str) -> None:
        self.config, self.device = config, device
        self.prompts: dict[int, dict[int, np.ndarray | tuple[np.ndarray, np.ndarray]]] = {}
        self.passes: list[tuple[bool, list[int]]] = []
        self.pictures: list[np.ndarray] = []

    def init_state(self, video_path: str, offload_video_to_cpu: bool = False) -> dict[str, int]:
        assert isinstance(video_path, str)
        paths = sorted(Path(video_path).glob("*.jpg"), key=lambda path: int(path.stem))
        self.pictures = [cv2.imread(str(path))[..., ::-1] for path in paths]
        return {"num_frames": len(paths)}

    def add_new_mask(self, inference_state: dict[str, int], frame_idx: int, obj_id: int, mask: np.ndarray) -> None:
        assert mask.ndim == 2 and mask.dtype == bool and 0 <= frame_idx < inference_state["num_frames"]
        self.prompts.setdefault(obj_id, {})[frame_idx] = mask

    def add_new_points_or_box(
        self, inference_state: dict[str, int], frame_idx: int, obj_id: int, points: np.ndarray | None = None, labels: np.ndarray | None = None
    ) -> None:
        assert points is not None and labels is not None and 0 <= frame_idx < inference_state["num_frames"]
        assert points.shape == (len(labels), 2) and set(labels.tolist()) <= {0, 1}
        self.prompts.setdefault(obj_id, {})[frame_idx] = (points, labels)

    def propagate_in_video(self, inference_state: dict[str, int], reverse: bool = False) -> Iterator[tuple[int, list[int], torch.Tensor]]:
        if not self.prompts:
            raise RuntimeError("No input points or masks are provided for any object; please add inputs first.")
        first = min(frame for prompts in self.prompts.values() for frame in prompts)
        order = list(range(first, inference_state["num_frames"])) if not reverse else list(range(first, -1, -1)) if first else []
        self.passes.append((reverse, order))
        for frame in order:
            scores = [self._score(prompts[min(prompts, key=lambda prompted: abs(prompted - frame))]) for prompts in self.prompts.values()]
            yield frame, list(self.prompts), torch.tensor(np.stack(scores)[:, None], dtype=torch.float32)

    def _score(self, prompt: np.ndarray | tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        height, width = self.pictures[0].shape[:2]
        if isinstance(prompt, np.ndarray):
            return cv2.resize(np.where(prompt, 5.0, -5.0), (width, height), interpolation=cv2.INTER_NEAREST)
        rows, columns = np.mgrid[:height, :width] + 0.5
        distance = np.stack([np.hypot(columns - x, rows - y) for x, y in prompt[0]])
        on, off = distance[prompt[1] == 1].min(0), distance[prompt[1] == 0].min(0, initial=2 * RADIUS)
        return np.minimum(off - on, RADIUS - on)


def build_sam2_video_predictor(config_file: str, ckpt_path: str | None = None, device: str = "cuda") -> StandInPredictor:
    """The predictor, when the archive at `ckpt_path` names the configuration; otherwise the complaint of a state that does not fit."""
    with zipfile.ZipFile(str(ckpt_path)) as archive:
        if archive.namelist() != [Path(config_file).stem]:
            raise RuntimeError("Error(s) in loading state_dict for SAM2VideoPredictor:\n\tsize mismatch")
    built.append(StandInPredictor(config_file, device))
    return built[-1]
