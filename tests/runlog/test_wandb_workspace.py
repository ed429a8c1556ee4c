"""The saved view names only what runs log; it gets to a server that takes it, and every other server means an error in time.

The server is a stand-in for wandb's own; wandb and wandb_workspaces are the real ones.
"""

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from offline_wandb import find_keys_never_logged, read_offline_run
from recorded_runs import STAGES, make_grey_clip, record_finished_run
from wandb_stand_in import KEY, Behaviour, WandbStandIn, serve

from hoifield.cli import main
from hoifield.errors import ConfigurationError, HoifieldError, InputOutputFailure, MissingDependency, MissingInput
from hoifield.pipelines.presets import choose_curves
from hoifield.runlog import wandb_workspace
from hoifield.runlog.wandb_log import SUMMARY_NUMBERS, summary_keys, sync_run
from hoifield.runlog.wandb_workspace import VIEW_TITLE, describe_comparison, save_comparison

pytest.importorskip("wandb", reason="wandb is not installed: pip install 'hoifield[wandb]'")
pytest.importorskip("wandb_workspaces", reason="wandb-workspaces is not installed: pip install 'hoifield[wandb]'")

RECORDED = {stage: ("total", "colour") for stage in STAGES}
"""The curves that recorded runs have."""


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, no project, no entity; a server that does not exist; a short patience."""
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_PROJECT", "WANDB_ENTITY", "WANDB_APP_URL", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "no-config"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbStandIn]:
    """A server that takes the view, with a key for it."""
    stand_in = WandbStandIn()
    with serve(stand_in) as address:
        monkeypatch.setenv("WANDB_BASE_URL", address)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        yield stand_in


def without_identifiers(view: object) -> object:
    """The specification without the identifiers that panels get anew each time."""
    match view:
        case dict():
            return {key: without_identifiers(value) for key, value in view.items() if key != "__id__"}
        case list():
            return [without_identifiers(value) for value in view]
        case _:
            return view


def panels_of(view: dict) -> dict[str, list[tuple[str, list[str]]]]:
    """Section -> its panels: kind and keys."""
    return {
        section["name"]: [(panel["viewType"], panel["config"].get("metrics") or panel["config"]["mediaKeys"]) for panel in section["panels"]]
        for section in view["section"]["panelBankConfig"]["sections"]
    }


def test_the_view_has_the_whole_summary_as_columns_runs_by_clip_and_a_section_for_each_part_and_stage() -> None:
    curves = choose_curves()
    view = describe_comparison(curves)
    (run_set,) = view["section"]["runSets"]
    assert run_set["runFeed"]["columnOrder"] == ["run:displayName", *(f"summary:{key}" for key in summary_keys())]
    assert {"status", "reasons/codes", "quality/psnr_db", "confidence/hand_pose", "seconds/fit"} <= set(summary_keys())
    assert run_set["grouping"] == [{"section": "run", "name": "group"}]
    panels = panels_of(view)
    assert list(panels) == ["quality", "confidence", "seconds", *curves, "pictures", "result"]
    assert panels["quality"] == [("Bar Chart", [f"quality/{name}"]) for name in SUMMARY_NUMBERS["quality"]]
    assert panels["touch"] == [("Run History Line Plot", [f"touch/{loss}"]) for loss in curves["touch"]]
    assert panels["pictures"] == [("Media Browser", [f"pictures/{stage}"]) for stage in curves]
    assert panels["result"] == [("Media Browser", ["result/overlay"]), ("Media Browser", ["result/scene"])]


def test_panels_show_each_run_although_the_table_is_grouped() -> None:
    section = describe_comparison(RECORDED)["section"]
    for settings in (section["settings"], *(part["localPanelSettings"] for part in section["panelBankConfig"]["sections"])):
        assert settings["useRunsTableGroupingInPanels"] is False and settings["xAxis"] == "step"


def test_a_run_has_every_key_that_the_view_names_and_a_key_that_no_run_has_is_found(tmp_path: Path) -> None:
    record_finished_run(tmp_path / "run", make_grey_clip(tmp_path / "grey.mp4"))
    sync_run(tmp_path / "run", "offline")
    logged = read_offline_run(tmp_path / "run").keys()
    assert find_keys_never_logged(describe_comparison(RECORDED), logged) == []
    assert find_keys_never_logged(describe_comparison({**RECORDED, "polish": ("shine",)}), logged) == ["pictures/polish", "polish/shine"]
    assert find_keys_never_logged(describe_comparison(RECORDED), logged - {"step", "quality/psnr_db"}) == ["quality/psnr_db", "step"]


def test_the_server_gets_the_view_and_nothing_else_and_its_address_is_told(server: WandbStandIn) -> None:
    address = save_comparison(RECORDED)
    (sent,) = server.saves()
    assert (sent["entityName"], sent["projectName"], sent["displayName"], sent["type"]) == ("someone", "hoifield", VIEW_TITLE, "project-view")
    assert without_identifiers(json.loads(sent["spec"])) == without_identifiers(describe_comparison(RECORDED))
    assert address.endswith(f"/someone/hoifield?nw={sent['name'].removeprefix('nw-').removesuffix('-v')}")
    assert server.paths == {"POST /graphql"} and server.keys == {f"api:{KEY}"}
    first_words = {body["query"].split("{")[0].split("(")[0].strip() for body in server.asked}
    assert first_words == {"query Viewer", "query GetDefaultEntity", "query FindView", "mutation UpsertView2"}


def test_what_was_sent_reads_back_as_the_same_view(server: WandbStandIn) -> None:
    import wandb
    import wandb_workspaces.workspaces as workspaces

    address = save_comparison(choose_curves())
    try:
        read = workspaces.Workspace.from_url(address)
    finally:
        wandb.teardown()
    (sent,) = server.saves()
    again = json.loads(read._to_model().spec.model_dump_json(by_alias=True, exclude_none=True))
    assert read.name == VIEW_TITLE and [section.name for section in read.sections] == list(panels_of(json.loads(sent["spec"])))
    assert panels_of(again) == panels_of(json.loads(sent["spec"]))
    assert again["section"]["runSets"] == json.loads(sent["spec"])["section"]["runSets"]


def test_laying_the_view_again_replaces_it(server: WandbStandIn) -> None:
    assert save_comparison(RECORDED) == save_comparison(choose_curves())
    first, second = server.saves()
    assert "id" not in first and second["id"] == "view-0" and len(server.views) == 1
    assert "touch/penetration" in next(iter(server.views.values()))["spec"]


def test_project_and_entity_are_those_named_else_those_of_the_environment(server: WandbStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    server.projects = ("team/hands", "lab/cups")
    monkeypatch.setenv("WANDB_PROJECT", "hands")
    monkeypatch.setenv("WANDB_ENTITY", "team")
    assert "/team/hands?nw=" in save_comparison(RECORDED)
    assert "/lab/cups?nw=" in save_comparison(RECORDED, "cups", "lab")


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("refuses the key", "user is not logged in"),
        ("refuses the view", "permission denied"),
        ("names no view", "names no view"),
        ("answers nonsense", "viewer"),
        ("breaks", "gave no answer in 3 s"),
        ("is silent", "gave no answer in 3 s"),
    ],
)
def test_a_server_that_does_not_take_the_view_is_an_error_and_not_a_hang(
    behaviour: Behaviour, words: str, server: WandbStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.behaviour = behaviour
    monkeypatch.setattr(wandb_workspace, "SAVE_SECONDS", 3.0)
    with pytest.raises(InputOutputFailure, match="HF-RUN-019") as raised:
        save_comparison(RECORDED)
    assert words in raised.value.cause and "--out" in raised.value.remedy
    assert server.views == {} and server.asked


def test_a_server_that_is_not_there_is_an_error_and_not_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wandb_workspace, "SAVE_SECONDS", 2.0)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(InputOutputFailure, match="could not be reached in 2 s"):
            save_comparison(RECORDED)


def test_without_a_key_nothing_is_asked_of_the_server_or_at_the_terminal(server: WandbStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    monkeypatch.setattr("wandb.errors.term._isatty", lambda stream: True)
    monkeypatch.setattr("builtins.input", lambda *words: pytest.fail("asked at the terminal"))
    with pytest.raises(ConfigurationError, match="HF-RUN-018"):
        save_comparison(RECORDED)
    assert server.asked == []


@pytest.mark.parametrize(("entity", "project", "code"), [("someone", "nothing", "HF-RUN-020"), (None, "hoifield", "HF-RUN-021")])
def test_a_project_that_is_not_there_and_a_key_of_nobody_are_named(entity: str | None, project: str, code: str, server: WandbStandIn) -> None:
    server.entity = entity
    with pytest.raises((MissingInput, ConfigurationError)) as raised:
        save_comparison(RECORDED, project)
    assert isinstance(raised.value, HoifieldError) and raised.value.code == code and server.saves() == []


@pytest.mark.parametrize(("missing", "code"), [("wandb", "HF-RUN-009"), ("wandb_workspaces", "HF-RUN-017")])
def test_a_package_that_is_missing_is_named(missing: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    for call in (lambda: describe_comparison(RECORDED), lambda: save_comparison(RECORDED)):
        with pytest.raises(MissingDependency, match=code):
            call()


def test_the_command_tells_the_address_or_writes_the_view_without_a_server(server: WandbStandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["track", "workspace", "--out", str(tmp_path / "view.json")]) == 0
    assert server.asked == [] and str(tmp_path / "view.json") in capsys.readouterr().out
    assert main.run(["track", "workspace", "--project", "hoifield", "--entity", "someone"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("view: http") and "/someone/hoifield?nw=" in shown
    (sent,) = server.saves()
    assert without_identifiers(json.loads((tmp_path / "view.json").read_text())) == without_identifiers(json.loads(sent["spec"]))
