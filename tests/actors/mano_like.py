"""Arrays of MANO's shapes that hold no hand of MANO's."""

import numpy as np

from hoifield.actors.skinned_model import JOINT_PARENTS

RINGS, SIDES = 48, 16


def mano_like_arrays() -> dict[str, np.ndarray]:
    """Arrays of MANO's shapes on a sack open at the wrist: 48 rings of 16, an apex and nine split faces."""
    generator = np.random.default_rng(5)
    rings = np.arange(RINGS)
    angle = 2.0 * np.pi * np.arange(SIDES) / SIDES
    x = np.repeat(0.09 - 0.19 * rings / RINGS, SIDES)
    radius = np.repeat(np.sqrt(1.0 - (rings / RINGS) ** 2), SIDES)
    tube = np.stack([x, 0.015 * radius * np.tile(np.cos(angle), RINGS), 0.04 * radius * np.tile(np.sin(angle), RINGS)], axis=1)
    near = (np.arange(RINGS - 1)[:, None] * SIDES + np.arange(SIDES)).ravel()
    beside = (np.arange(RINGS - 1)[:, None] * SIDES + (np.arange(SIDES) + 1) % SIDES).ravel()
    far, far_beside = near + SIDES, beside + SIDES
    last = (RINGS - 1) * SIDES + np.arange(SIDES)
    apex = np.full(SIDES, RINGS * SIDES)
    faces = np.concatenate(
        [
            np.stack([near, far, beside], axis=1),
            np.stack([beside, far, far_beside], axis=1),
            np.stack([last, apex, np.roll(last, -1)], axis=1),
        ]
    )
    vertices = np.concatenate([tube, [[-0.1, 0.0, 0.0]]])
    for face in range(0, 270, 30):
        a, b, c = faces[face]
        centre = len(vertices)
        vertices = np.concatenate([vertices, vertices[[a, b, c]].mean(0, keepdims=True)])
        faces[face] = a, b, centre
        faces = np.concatenate([faces, [[b, c, centre], [c, a, centre]]])
    regressor = np.zeros((16, 778))
    regressor[0, :SIDES] = 1.0 / SIDES
    for chain in range(5):
        for k in range(3):
            members = (12 + 8 * k) * SIDES + (np.arange(3) + 3 * chain) % SIDES
            regressor[3 * chain + k + 1, members] = 1.0 / 3.0
    parents = np.array([2**32 - 1, *JOINT_PARENTS[1:]], dtype=np.int64)
    return {
        "v_template": vertices,
        "f": faces.astype(np.uint32),
        "shapedirs": 0.003 * generator.normal(size=(778, 3, 10)),
        "posedirs": 0.001 * generator.normal(size=(778, 3, 135)),
        "weights": generator.dirichlet(np.full(16, 0.2), size=778),
        "J_regressor": regressor,
        "kintree_table": np.stack([parents, np.arange(16)]),
    }
