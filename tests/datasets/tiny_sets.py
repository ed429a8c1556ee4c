"""Real sets' folders in miniature: one scene of a cube and two hands, written in each set's own layout by its own conventions."""

import io
import json
import pickle
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

FRAMES, SIZE = 5, (64, 48)
FINGERTIPS = [745, 317, 444, 556, 673]
GL = np.array([1.0, -1.0, -1.0])
K = np.array([[80.0, 0.0, 32.0], [0.0, 81.0, 24.0], [0.0, 0.0, 1.0]])
CUBE = 0.03 * np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)
CUBE_FACES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
)


@dataclass(frozen=True)
class TinyHand:
    """MANO's parameters in OpenCV's camera: rotation, translation of the rest pose, angles from the flat hand."""

    arrays: dict[str, np.ndarray]
    rotation: np.ndarray
    translation: np.ndarray
    pose: np.ndarray
    shape: np.ndarray

    def posed(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """778 vertices and 21 joints (MANO's order) of a frame."""
        return mano_forward(self.arrays, self.shape, self.rotation[frame], self.pose[frame], self.translation[frame])

    @property
    def root_at_rest(self) -> np.ndarray:
        return (self.arrays["J_regressor"] @ (self.arrays["v_template"] + self.arrays["shapedirs"] @ self.shape))[0]

    def in_opengl(self) -> "TinyHand":
        """The same hand with the camera's axes of OpenGL: the root joint and its rotation are turned, not the rest pose."""
        rotation = (Rotation.from_matrix(np.diag(GL)) * Rotation.from_rotvec(self.rotation)).as_rotvec()
        translation = GL * (self.translation + self.root_at_rest) - self.root_at_rest
        return TinyHand(self.arrays, rotation, translation, self.pose, self.shape)

    def coefficients(self) -> np.ndarray:
        """The angles as principal components about the mean."""
        return (self.pose - self.arrays["hands_mean"]) @ np.linalg.inv(self.arrays["hands_components"])


def mano_forward(arrays: dict[str, np.ndarray], shape: np.ndarray, rotation: np.ndarray, pose: np.ndarray, translation: np.ndarray):
    """Romero et al. 2017, eq. 2-4: the root turns about its own rest position, then everything is translated."""
    rotations = Rotation.from_rotvec(np.concatenate([rotation[None], pose.reshape(15, 3)])).as_matrix()
    rest = arrays["v_template"] + arrays["shapedirs"] @ shape
    joints = arrays["J_regressor"] @ rest
    corrected = rest + arrays["posedirs"] @ (rotations[1:] - np.eye(3)).ravel()
    parents, frames = [-1, *arrays["kintree_table"][0, 1:].tolist()], []
    for joint in range(16):
        local = np.eye(4)
        local[:3, :3], local[:3, 3] = rotations[joint], joints[joint] - (joints[parents[joint]] if joint else 0.0)
        frames.append(frames[parents[joint]] @ local if joint else local)
    carried = [corrected @ frame[:3, :3].T + frame[:3, 3] - frame[:3, :3] @ joints[j] for j, frame in enumerate(frames)]
    vertices = np.einsum("vj,jva->va", arrays["weights"], np.stack(carried)) + translation
    return vertices, np.concatenate([np.stack([frame[:3, 3] for frame in frames]) + translation, vertices[FINGERTIPS]])


def tiny_hand(arrays: dict[str, np.ndarray], seed: int) -> TinyHand:
    generator = np.random.default_rng(seed)
    return TinyHand(
        arrays,
        rotation=generator.normal(size=(FRAMES, 3)),
        translation=generator.normal(size=(FRAMES, 3)) * 0.02 + [0.0, 0.05, 0.5],
        pose=0.3 * generator.normal(size=(FRAMES, 45)),
        shape=0.5 * generator.normal(size=10),
    )


def object_poses() -> np.ndarray:
    """T_camera_object per frame."""
    T = np.tile(np.eye(4), (FRAMES, 1, 1))
    T[:, :3, :3] = Rotation.random(FRAMES, random_state=7).as_matrix()
    T[:, :3, 3] = np.random.default_rng(8).normal(size=(FRAMES, 3)) * 0.02 + [0.02, 0.0, 0.5]
    return T


def write_cube(path: Path, scale: float = 1.0) -> None:
    """The cube as an OBJ whose faces name texture and normal too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"v {x} {y} {z}" for x, y, z in CUBE * scale] + ["vt 0 0"] + [f"f {a}/1/1 {b}/1/1 {c}/1/1" for a, b, c in CUBE_FACES + 1]
    path.write_text("\n".join(lines) + "\n")


def write_picture(path: Path, shade: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((SIZE[1], SIZE[0], 3), 40 + 10 * shade, dtype=np.uint8))


def write_ho3d(root: Path, hand: TinyHand | None, split: str = "train") -> Path:
    """A sequence; frame 2 has no annotation, as the set marks it."""
    folder, T, turned = root / split / "ABF12", object_poses(), hand.in_opengl() if hand else None
    write_cube(root / "models" / "003_cracker_box" / "textured_simple.obj")
    for frame in range(FRAMES):
        write_picture(folder / "rgb" / f"{frame:04d}.jpg", frame)
        meta = {"camMat": K, "objName": "003_cracker_box", "objRot": None, "objTrans": None, "handPose": None, "handJoints3D": None}
        if frame != 2:
            meta["objRot"] = Rotation.from_matrix(np.diag(GL) @ T[frame, :3, :3]).as_rotvec()[:, None]
            meta["objTrans"] = GL * T[frame, :3, 3]
            if turned is not None:
                meta["handPose"] = np.concatenate([turned.rotation[frame], turned.pose[frame]])
                meta |= {"handBeta": turned.shape, "handTrans": turned.translation[frame], "handJoints3D": turned.posed(frame)[1]}
        path = folder / "meta" / f"{frame:04d}.pkl"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(pickle.dumps(meta, 2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    return folder


def write_dexycb(root: Path, hand: TinyHand, side: str = "right") -> Path:
    """One camera; the second of two objects is grasped, and frame 0 shows neither hand nor object."""
    sequence = root / "20200709-subject-01" / "20200709_141754"
    folder, T = sequence / "836212060125", object_poses()
    write_cube(root / "models" / "025_mug" / "textured_simple.obj")
    meta = ["extrinsics: '20200702_151821'", "mano_calib:", "- 20200709_140042_subject-01", "mano_sides:", f"- {side}", f"num_frames: {FRAMES}"]
    meta += ["serials:", "- '836212060125'", "- '839512060362'", "ycb_grasp_ind: 1", "ycb_ids:", "- 3", "- 14", ""]
    calibration = root / "calibration"
    (calibration / "intrinsics").mkdir(parents=True)
    (calibration / "mano_20200709_140042_subject-01").mkdir()
    intrinsics = f"color:\n  fx: {K[0, 0]}\n  fy: {K[1, 1]}\n  ppx: {K[0, 2]}\n  ppy: {K[1, 2]}\ndepth:\n  fx: 1.0\n"
    (calibration / "intrinsics" / "836212060125_640x480.yml").write_text(intrinsics)
    betas = "betas:\n" + "".join(f"- {value!r}\n" for value in hand.shape.tolist())
    (calibration / "mano_20200709_140042_subject-01" / "mano.yml").write_text(betas)
    for frame in range(FRAMES):
        write_picture(folder / f"color_{frame:06d}.jpg", frame)
        segmentation = np.zeros((SIZE[1], SIZE[0]), dtype=np.uint8)
        segmentation[:10], segmentation[10:20], segmentation[20:30] = 3, 14, 255
        parameters = np.concatenate([hand.rotation[frame], hand.coefficients()[frame], hand.translation[frame]])[None]
        poses, joints = np.stack([np.eye(4)[:3], T[frame, :3]]), project_order(hand.posed(frame)[1])[None]
        if frame == 0:
            parameters, poses, joints = 0 * parameters, 0 * poses, 0 * joints - 1
        np.savez(folder / f"labels_{frame:06d}.npz", seg=segmentation, pose_y=poses, pose_m=parameters, joint_3d=joints)
    (sequence / "meta.yml").write_text("\n".join(meta))
    return folder


def write_hoi4d(root: Path, hand: TinyHand, index: str = "ZY20210800001/H1/C2/N7/S92/s05/T2") -> Path:
    """A clip of a mug; the hand is missing in frame 1."""
    T = object_poses()
    write_cube(root / "HOI4D_CAD_Model_for_release" / "rigid" / "Mug" / "007.obj")
    (root / "camera_params" / "ZY20210800001").mkdir(parents=True)
    np.save(root / "camera_params" / "ZY20210800001" / "intrin.npy", K)
    annotations, hands = root / "HOI4D_annotations" / index, root / "handpose" / "refinehandpose_right" / index
    for folder in (annotations / "objpose", annotations / "2Dseg" / "shift_mask", hands):
        folder.mkdir(parents=True)
    for frame in range(FRAMES):
        write_picture(root / "HOI4D_release" / index / "align_rgb" / f"{frame:05d}.jpg", frame)
        angles = Rotation.from_matrix(T[frame, :3, :3]).as_euler("XYZ")
        entry = {"center": dict(zip("xyz", T[frame, :3, 3])), "rotation": dict(zip("xyz", angles)), "dimensions": {}}
        (annotations / "objpose" / f"{frame}.json").write_text(json.dumps({"dataList": [entry]}))
        colours = np.zeros((SIZE[1], SIZE[0], 3), dtype=np.uint8)
        colours[:10, :, 2], colours[10:20, :, 1], colours[20:30, :, 0] = 128, 128, 128
        cv2.imwrite(str(annotations / "2Dseg" / "shift_mask" / f"{frame:05d}.png"), colours)
        content = {"poseCoeff": np.concatenate([hand.rotation[frame], hand.pose[frame]]).astype(np.float32), "beta": hand.shape}
        content |= {"trans": hand.translation[frame], "kps2D": np.zeros((21, 2))}
        if frame != 1:
            (hands / f"{frame}.pickle").write_bytes(pickle.dumps(content, 3))
    return root / "HOI4D_release" / index


ARCTIC_OFFSET, ARCTIC_EXTRA, ARCTIC_VIEW = 3, 2, 4
"""Pictures are numbered from 3 more than the annotations, which go on for two frames more than the pictures."""


def write_arctic(root: Path, hands: dict[str, TinyHand], angle: float, play: float = 0.0) -> Path:
    """One camera that is turned against the world; the upper half of the cube (x > 0) is turned by `angle`."""
    T_camera_world = np.eye(4)
    T_camera_world[:3, :3], T_camera_world[:3, 3] = Rotation.from_rotvec([0.3, -0.2, 0.9]).as_matrix(), [0.1, 0.0, 0.2]
    R_world_camera = Rotation.from_matrix(T_camera_world[:3, :3].T)
    T_world_object = np.linalg.inv(T_camera_world) @ object_poses()
    cameras = [np.eye(4)] * 3 + [T_camera_world] + [np.eye(4)] * 4
    misc = {"s05": {"world2cam": [T.tolist() for T in cameras], "intris_mat": [K.tolist()] * 8, "ioi_offset": ARCTIC_OFFSET - ARCTIC_EXTRA}}
    folder = root / "meta" / "object_vtemplates" / "box"
    write_cube(folder / "mesh.obj", 1000.0)
    (folder / "parts.json").write_text(json.dumps([int(x < 0) for x in CUBE[:, 0]]))
    (root / "meta" / "misc.json").write_text(json.dumps(misc))
    before = ARCTIC_EXTRA
    spread = lambda values: np.concatenate([np.repeat(values[:1], before, 0), values]).astype(np.float32)  # noqa: E731
    articulation = angle + play * np.linspace(-0.5, 0.5, FRAMES)
    params = {"obj_rot": spread(Rotation.from_matrix(T_world_object[:, :3, :3]).as_rotvec()), "obj_arti": spread(articulation)}
    params["obj_trans"] = spread(1000 * T_world_object[:, :3, 3])
    views = {}
    for side, hand in hands.items():
        params[f"rot_{side[0]}"] = spread((R_world_camera * Rotation.from_rotvec(hand.rotation)).as_rotvec())
        params[f"pose_{side[0]}"] = spread(hand.pose - hand.arrays["hands_mean"])
        params[f"shape_{side[0]}"] = np.tile(hand.shape.astype(np.float32), (FRAMES + before, 1))
        joints = np.zeros((FRAMES + before, 10, 21, 3), dtype=np.float32)
        joints[:, ARCTIC_VIEW] = spread(np.stack([hand.posed(frame)[1] for frame in range(FRAMES)]))
        views[f"joints.{side}"] = joints
    path = root / "processed_seqs" / "s05" / "box_grab_01.npy"
    path.parent.mkdir(parents=True)
    stream = io.BytesIO()
    np.save(stream, np.array({"params": params, "cam_coord": views}, dtype=object), allow_pickle=True)
    path.write_bytes(stream.getvalue())
    pictures = root / "images" / "s05" / "box_grab_01" / str(ARCTIC_VIEW)
    for frame in range(FRAMES):
        write_picture(pictures / f"{frame + ARCTIC_OFFSET:05d}.jpg", frame)
    return pictures


def project_order(joints: np.ndarray) -> np.ndarray:
    """Wrist, then each finger from the palm to the tip, of MANO's 16 joints and five tips."""
    return joints[[0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20]]
