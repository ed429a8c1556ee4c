"""A rigged hand file as a hand model: another hand than the one that is fitted, for generated clips."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from hoifield.actors.assemble_model import RightHand, build_model
from hoifield.actors.flatten_hand import ADULT_HAND_LENGTH, flatten_hands, hand_axes, hand_length, nearest_vertex
from hoifield.actors.gltf_skin import GltfSkin, read_gltf_skin
from hoifield.actors.skinned_model import Side, SkinnedModel
from hoifield.errors import RefusedInput

FINGER_BONES = {
    **{name: ("Proximal", "Intermediate", "Distal", "Tip") for name in ("Index", "Middle", "Little", "Ring")},
    "Thumb": ("Metacarpal", "Proximal", "Distal", "Tip"),
}
"""OpenXR's names of each finger's bones from the knuckle on, in the order of the joint tree."""
REMEDY = "give a closed hand whose bones have OpenXR's names (Wrist_R, Index_Proximal_R, ...)"


def load_rigged_hand(path: Path, side: Side) -> SkinnedModel:
    """The hand of a glTF file under MANO's contract, brought to the mean adult length; it has no shape space (all directions are 0).

    The bones carry OpenXR's names with _R or _L; either side's file serves for both. Metacarpals move with the wrist. Raises
    MissingInput (HF-ACT-008) and RefusedInput (HF-ACT-009, HF-ACT-010: bones missing, or the mesh not closed).
    """
    skin = read_gltf_skin(path)
    _require_closed(skin, path.name)
    return build_model("rigged", side, convert_rigged_hand(skin, path.name))


def convert_rigged_hand(skin: GltfSkin, name: str) -> RightHand:
    """The arrays of the right hand: MANO's axes, wrist joint at the origin, fingers straightened; `name` is for errors."""
    suffix = "_L" if "Wrist_L" in skin.bone_names else "_R"
    mirror = np.array([-1.0, 1.0, 1.0]) if suffix == "_L" else np.ones(3)
    chains = [[_bone(skin, f"{finger}_{part}{suffix}", name) for part in parts] for finger, parts in FINGER_BONES.items()]
    order = [_bone(skin, f"Wrist{suffix}", name), *(bone for chain in chains for bone in chain[:3])]
    joints, tails = mirror * skin.bones[order], mirror * skin.bones[[chain[3] for chain in chains]]
    weights = skin.weights[:, order]
    for number, chain in enumerate(chains):
        weights[:, 3 * number + 3] += skin.weights[:, chain[3]]
    weights[:, 0] += 1 - weights.sum(1)
    axes, origin = hand_axes(joints[None])[0], joints[0]
    points = [(array - origin) @ axes.T for array in (mirror * skin.vertices, joints, tails)]
    scale = ADULT_HAND_LENGTH / hand_length(points[1], points[2])
    vertices, joints, tails = (scale * array[None] for array in points)
    vertices, joints, tails = (array[0] for array in flatten_hands(vertices, joints, tails, weights))
    tips = [nearest_vertex(vertices, weights[:, 3 * chain + 3], _beyond(joints[3 * chain + 3], tails[chain])) for chain in (4, 0, 1, 3, 2)]
    return RightHand(
        template=vertices,
        shape_directions=np.zeros((len(vertices), 3, 10)),
        joint_template=joints,
        joint_directions=np.zeros((16, 3, 10)),
        weights=weights,
        faces=skin.faces if suffix == "_R" else skin.faces[:, ::-1],
        fingertip_vertices=np.array(tips),
    )


def _beyond(joint: Float[np.ndarray, "3"], tail: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    """A point past the tip: bones of rigs end inside the finger."""
    return tail + 0.5 * (tail - joint)


def _bone(skin: GltfSkin, bone: str, name: str) -> int:
    """Number of a bone by name."""
    if bone not in skin.bone_names:
        raise RefusedInput("HF-ACT-010", f"{name!r} has {len(skin.bone_names)} bones but no {bone}", REMEDY)
    return skin.bone_names.index(bone)


def _require_closed(skin: GltfSkin, name: str) -> None:
    """Refuse meshes in which an edge is not shared by two faces, once in each direction."""
    edges = np.concatenate([skin.faces[:, [0, 1]], skin.faces[:, [1, 2]], skin.faces[:, [2, 0]]])
    ends, count = np.unique(edges, axis=0, return_counts=True)
    known = {(int(a), int(b)) for a, b in ends}
    open_edges = int((count > 1).sum()) + sum((b, a) not in known for a, b in known)
    if open_edges:
        raise RefusedInput("HF-ACT-010", f"the mesh of {name!r} has {open_edges} edges that do not close", REMEDY)
