"""Real pictures that installed packages and the user's own folders hold: backgrounds and prints of generated scenes."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from hoifield.clip.open_clip import open_clip
from hoifield.errors import MissingInput

OF_PACKAGES = (
    ("skimage", ("astronaut.png", "brick.png", "chelsea.png", "coffee.png", "coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg",
                 "ihc.png", "motorcycle_left.png", "page.png", "rocket.jpg", "text.png"), "data"),
    ("sklearn", ("china.jpg", "flower.jpg"), "datasets/images"),
)  # fmt: skip
"""Package, pictures, folder. All are free to use; none is kept."""


@dataclass(frozen=True)
class Photographs:
    """Pictures of real things."""

    pictures: tuple[UInt8[np.ndarray, "height width 3"], ...]

    @staticmethod
    def of_packages() -> "Photographs":
        """What scikit-image and scikit-learn bring along. Raises MissingInput (HF-SYN-012) where a version brings less."""
        pictures = []
        for package, names, folder in OF_PACKAGES:
            root = Path(str(files(package))) / folder
            for name in names:
                picture = cv2.imread(str(root / name), cv2.IMREAD_COLOR)
                if picture is None:
                    raise MissingInput("HF-SYN-012", f"{package} does not bring {name!r}", "install the versions of requirements.lock")
                pictures.append(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
        return Photographs(tuple(pictures))

    def with_frames(self, clips: tuple[Path, ...], each: int = 6) -> "Photographs":
        """These and some frames of clips."""
        pictures = list(self.pictures)
        for path in clips:
            clip = open_clip(path)
            chosen = np.linspace(0, clip.frame_count - 1, each).round().astype(int)
            pictures += [picture.copy() for _, picture in clip.read_frames(chosen.tolist())]
        return Photographs(tuple(pictures))

    def crop(self, generator: np.random.Generator, size: int) -> UInt8[np.ndarray, "size size 3"]:
        """A square piece of one of them, turned, mirrored and resized to `size` pixels."""
        picture = self.pictures[generator.integers(len(self.pictures))]
        height, width = picture.shape[:2]
        side = int(min(height, width) * generator.uniform(0.25, 1.0))
        top, left = generator.integers(height - side + 1), generator.integers(width - side + 1)
        piece = cv2.resize(picture[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA)
        piece = np.rot90(piece, generator.choice([0, 0, 0, 1, 2, 3]))
        return np.ascontiguousarray(piece[:, ::-1] if generator.random() < 0.5 else piece)
