import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from handmade_result import SUMMARY, handmade_result

from hoifield.errors import HoifieldError, InternalError, MissingInput, RefusedInput
from hoifield.result.fit_result import FitResult
from hoifield.result.result_folder import read_result, read_summary, write_refusal, write_result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_result(tmp_path / "result", handmade_result())
    return tmp_path / "result"


def assert_equal(a: FitResult, b: FitResult) -> None:
    for name in ("frame_index", "time_s", "K", "T_camera_object", "object_confidence"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    for name in ("vertices", "faces", "colours"):
        np.testing.assert_array_equal(getattr(a.object_mesh, name), getattr(b.object_mesh, name))
    assert (a.image_size, a.summary, len(a.hands)) == (b.image_size, b.summary, len(b.hands))
    for one, other in zip(a.hands, b.hands):
        assert (one.side, one.actor) == (other.side, other.actor)
        for name in ("T_camera_hand", "pose", "shape", "vertices", "joints", "faces", "confidence"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def rewrite_arrays(folder: Path, **changes: np.ndarray | None) -> None:
    with np.load(folder / "poses.npz") as archive:
        arrays = {name: archive[name] for name in archive.files} | changes
    np.savez(folder / "poses.npz", **{name: array for name, array in arrays.items() if array is not None})


def test_a_result_comes_back_exactly(folder: Path) -> None:
    assert_equal(read_result(folder), handmade_result())


def test_writing_twice_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_result(tmp_path / "again", read_result(folder))
    for name in ("result.json", "object.ply", "poses.npz"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_the_files_have_the_names_and_shapes_of_the_contract(folder: Path) -> None:
    document = json.loads((folder / "result.json").read_text())
    assert document["schema"] == "hoifield.result/1"
    assert document["hands"] == [{"side": "right", "actor": "anny"}]
    assert document["object"]["watertight"] is True and len(document["object"]["extent_m"]) == 3
    assert set(SUMMARY) <= set(document)
    with np.load(folder / "poses.npz", allow_pickle=False) as archive:
        shapes = {name: archive[name].shape for name in archive.files}
    vertices, faces = shapes["right_vertices"][1], shapes["right_faces"][0]
    assert shapes == {
        **{
            "frame_index": (12,),
            "time_s": (12,),
            "image_size": (2,),
            "K": (12, 3, 3),
            "T_camera_object": (12, 4, 4),
            "object_confidence": (12,),
        },
        **{"right_T_camera_hand": (12, 4, 4), "right_pose": (12, 16, 3), "right_shape": (10,), "right_vertices": (12, vertices, 3)},
        **{"right_joints": (12, 21, 3), "right_faces": (faces, 3), "right_confidence": (12,)},
    }


@pytest.mark.parametrize("key", [*SUMMARY, "clip.sha256", "seconds.fit", "quality.psnr_db", "confidence.hand_pose"])
def test_a_summary_without_a_needed_key_is_not_written(tmp_path: Path, key: str) -> None:
    summary = json.loads(json.dumps(SUMMARY))
    outer, _, inner = key.partition(".")
    if inner:
        del summary[outer][inner]
    else:
        del summary[outer]
    with pytest.raises(InternalError, match=key):
        write_result(tmp_path / "result", replace(handmade_result(), summary=summary))
    assert not (tmp_path / "result").exists()


def test_numbers_that_are_not_finite_become_null(tmp_path: Path) -> None:
    summary = {**SUMMARY, "quality": {**SUMMARY["quality"], "psnr_db": float("nan")}}
    write_result(tmp_path, replace(handmade_result(), summary=summary))
    assert read_result(tmp_path).summary["quality"]["psnr_db"] is None


@pytest.mark.parametrize("name", ["result.json", "object.ply", "poses.npz"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(MissingInput, match=name):
        read_result(folder)


@pytest.mark.parametrize("name", ["result.json", "object.ply", "poses.npz"])
@pytest.mark.parametrize("damage", ["cut", "empty", "noise"])
def test_a_damaged_file_is_refused(folder: Path, name: str, damage: str) -> None:
    content = (folder / name).read_bytes()
    noise = np.random.default_rng(0).integers(0, 256, len(content), dtype=np.uint8).tobytes()
    (folder / name).write_bytes({"cut": content[: len(content) // 2], "empty": b"", "noise": noise}[damage])
    with pytest.raises(RefusedInput):
        read_result(folder)


def test_every_cut_of_the_archive_is_refused_or_read_but_never_crashes(folder: Path) -> None:
    content = (folder / "poses.npz").read_bytes()
    for length in np.linspace(1, len(content) - 1, 25).astype(int):
        (folder / "poses.npz").write_bytes(content[:length])
        with pytest.raises(HoifieldError):
            read_result(folder)


def test_a_pickled_array_is_refused(folder: Path) -> None:
    rewrite_arrays(folder, time_s=np.array([{"a": 1}] * 12, dtype=object))
    with pytest.raises(RefusedInput, match="HF-RES-006"):
        read_result(folder)


def bad_rotation() -> np.ndarray:
    T = handmade_result().T_camera_object.copy()
    T[0, :3, :3] *= 1.1
    return T


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"K": None}, "HF-RES-006"),
        ({"right_faces": None}, "HF-RES-006"),
        ({"K": np.zeros((12, 3, 4))}, "HF-RES-007"),
        ({"right_pose": np.zeros((12, 15, 3))}, "HF-RES-007"),
        ({"T_camera_object": np.full((12, 4, 4), np.nan)}, "HF-RES-008"),
        ({"right_joints": np.full((12, 21, 3), np.nan)}, "HF-RES-008"),
        ({"object_confidence": np.full(12, 1.5)}, "HF-RES-009"),
        ({"T_camera_object": bad_rotation()}, "HF-RES-009"),
        ({"right_faces": np.array([[0, 1, 99999]])}, "HF-RES-009"),
        ({"time_s": np.zeros(12)}, "HF-RES-009"),
        ({"frame_index": np.zeros(12, dtype=int)}, "HF-RES-009"),
        ({"image_size": np.array([0, 240])}, "HF-RES-009"),
    ],
)
def test_arrays_that_break_the_contract_are_refused(folder: Path, changes: dict[str, np.ndarray | None], code: str) -> None:
    rewrite_arrays(folder, **changes)
    with pytest.raises(RefusedInput, match=code):
        read_result(folder)


def test_frames_without_confidence_may_have_no_pose(folder: Path) -> None:
    result = read_result(folder)
    assert np.isnan(result.T_camera_object[4:6]).all() and (result.object_confidence[4:6] == 0).all()


def test_another_schema_is_refused(folder: Path) -> None:
    document = json.loads((folder / "result.json").read_text()) | {"schema": "hoifield.result/9"}
    (folder / "result.json").write_text(json.dumps(document))
    with pytest.raises(RefusedInput, match="HF-RES-004"):
        read_result(folder)


def test_a_refused_clip_has_a_summary_and_no_mesh(tmp_path: Path) -> None:
    write_refusal(tmp_path, {**SUMMARY, "status": "refused"})
    assert read_summary(tmp_path)["status"] == "refused"
    with pytest.raises(MissingInput):
        read_result(tmp_path)
