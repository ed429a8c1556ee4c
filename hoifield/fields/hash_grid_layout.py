"""Where the vertices of a multiresolution hash grid lie in its table: plain arithmetic, shared by every back end."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hoifield.errors import ConfigurationError

HASH_PRIME_Y = 2654435761
HASH_PRIME_Z = 805459861


@dataclass(frozen=True)
class LevelShape:
    """One level: vertex positions are `point * scale + 0.5`; its vertices own the rows [offset, offset + size) of the table."""

    scale: float
    """Rounded to 32 bits once, so that a 64-bit reference uses the same number."""
    side: int
    """Vertices per axis."""
    dense: bool
    """True: one row per vertex. False: rows by hashing."""
    size: int
    offset: int


@dataclass(frozen=True)
class HashGridLayout:
    """Levels of a hash grid over the unit cube (Mueller et al. 2022, with tiny-cuda-nn's position convention).

    The defaults are the small grid that fits one object best per second on a CPU.
    """

    levels: int = 8
    features: int = 2
    """Features per level and vertex."""
    table_size: int = 2**15
    """Most rows of one level; a power of two."""
    base_resolution: int = 16
    finest_resolution: int = 256

    def __post_init__(self) -> None:
        if self.table_size < 8 or self.table_size & (self.table_size - 1):
            raise ConfigurationError("HF-FLD-001", f"the table size {self.table_size} is not a power of two of at least 8.", "Use 32768.")
        if self.levels < 1 or self.features < 1 or not 2 <= self.base_resolution <= self.finest_resolution:
            resolutions = f"{self.base_resolution} to {self.finest_resolution}"
            raise ConfigurationError(
                "HF-FLD-002",
                f"a grid of {self.levels} levels and {self.features} features from resolution {resolutions} cannot be laid out.",
                "Use at least one level and one feature, and a base resolution of at least 2 and at most the finest.",
            )

    @cached_property
    def level_shapes(self) -> tuple[LevelShape, ...]:
        """The levels, coarse to fine."""
        growth = 1.0 if self.levels == 1 else (self.finest_resolution / self.base_resolution) ** (1 / (self.levels - 1))
        shapes: list[LevelShape] = []
        offset = 0
        for level in range(self.levels):
            scale = float(np.float32(self.base_resolution * growth**level - 1))
            side = int(np.ceil(scale)) + 2
            dense = side**3 <= self.table_size
            size = (side**3 + 7) // 8 * 8 if dense else self.table_size
            shapes.append(LevelShape(scale, side, dense, size, offset))
            offset += size
        return tuple(shapes)

    @property
    def entries(self) -> int:
        """Rows of the table."""
        last = self.level_shapes[-1]
        return last.offset + last.size

    @property
    def encoded(self) -> int:
        """Width of the encoding: levels x features, level by level."""
        return self.levels * self.features
