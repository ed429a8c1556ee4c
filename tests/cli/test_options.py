"""Options that need more than a type."""

from pathlib import Path

import pytest

from hoifield.cli.options import parse_object_point, parse_template, require_folder, require_port, require_sam2_weights, require_seed
from hoifield.errors import ConfigurationError, MissingInput, UsageError


def test_a_point_is_pixels_and_a_frame_that_is_the_first_unless_named():
    assert parse_object_point("320,240.5") == (320.0, 240.5, 0)
    assert parse_object_point(" 320 , 240 , 12") == (320.0, 240.0, 12)
    assert parse_object_point(None) is None


@pytest.mark.parametrize("text", ["", "1", "1,2,3,4", "a,b", "1;2", "-1,5", "1,2,0.5", "1,2,-1", "nan,2", "1,inf", "1,2,inf", "1,2,nan"])
def test_what_is_no_point_is_refused_and_quoted(text: str):
    with pytest.raises(UsageError) as refusal:
        parse_object_point(text)
    assert refusal.value.code == "HF-CFG-001" and repr(text) in refusal.value.cause


def test_folders_must_be_there_when_they_are_named(tmp_path: Path):
    require_folder(None, "--masks")
    require_folder(tmp_path, "--masks")
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "absent", tmp_path / "file"):
        with pytest.raises(MissingInput) as refusal:
            require_folder(path, "--masks")
        assert refusal.value.exit_code == 66 and "--masks" in refusal.value.cause


def test_a_template_is_a_file_or_a_kind_of_object(tmp_path: Path):
    mesh = tmp_path / "mug"
    mesh.write_text("")
    assert parse_template(None) is None
    assert parse_template(str(mesh)) == mesh
    assert (parse_template("mug"), parse_template("Tape"), parse_template("toy car")) == ("mug", "ring", "toy-car")
    for text in ("", "umbrella", str(tmp_path), str(tmp_path / "absent.ply")):
        with pytest.raises(MissingInput) as refusal:
            parse_template(text)
        assert refusal.value.code == "HF-CFG-013" and "toy-car" in refusal.value.remedy


def test_seeds_are_not_negative():
    require_seed(0)
    with pytest.raises(ConfigurationError):
        require_seed(-1)


@pytest.mark.parametrize("port", [-1, 65536, 99999])
def test_ports_are_those_that_exist(port: int):
    require_port(0)
    require_port(65535)
    with pytest.raises(UsageError) as refusal:
        require_port(port)
    assert refusal.value.code == "HF-CFG-012"


def test_sam2_weights_are_looked_at_only_when_they_are_named(tmp_path: Path):
    require_sam2_weights(None, None, None)
    with pytest.raises(UsageError):
        require_sam2_weights(tmp_path / "absent.pt", None, None)
    for masks, point in ((tmp_path, None), (None, (1.0, 2.0, 0))):
        with pytest.raises(MissingInput):
            require_sam2_weights(tmp_path / "absent.pt", masks, point)
