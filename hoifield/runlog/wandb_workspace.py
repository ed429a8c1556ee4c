"""A saved view of a wandb project that lays its runs beside each other: the definition as data, and its way to the server.

The only file that imports wandb_workspaces. A view names keys and holds no value: nothing of a clip or a run is read or sent.
"""

import json
import os
import urllib.parse
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from hoifield.errors import ConfigurationError, InputOutputFailure, MissingDependency, MissingInput
from hoifield.runlog.wandb_log import (
    OVERLAY_KEY,
    SCENE_KEY,
    START_SECONDS,
    STEP_KEY,
    SUMMARY_NUMBERS,
    import_wandb,
    name_project,
    one_line,
    picture_key,
    server_answers,
    summary_keys,
    wandb_failures,
)

Curves = Mapping[str, tuple[str, ...]]
"""Stage -> names of its losses that get a panel, in order."""
Answer = TypeVar("Answer")
VIEW_TITLE = "hoifield comparison"
SAVE_SECONDS = START_SECONDS
BAR_PARTS = ("quality", "confidence", "seconds")
"""Parts of the summary that have a section of bars; all of it stands in the table."""
_VIEW = "hoifieldcmp"
"""The view's name in addresses; always the same, so that laying it again replaces it instead of adding a second one."""
_FIND_VIEW = """
query FindView($entity: String, $project: String, $view: String) {
    project(name: $project, entityName: $entity) {
        allViews(viewType: "project-view", viewName: $view) { edges { node { id } } }
    }
}
"""
_LOOK_REMEDY = "to look at the view without a server: hoifield track workspace --out FILE.json"


def describe_comparison(curves: Curves) -> dict[str, Any]:
    """The specification of the view, as it would be sent; identifiers of panels differ from call to call.

    Raises MissingDependency HF-RUN-009 without wandb, HF-RUN-017 without wandb-workspaces.
    """
    return dict(json.loads(_build_view("", "", curves).spec.model_dump_json(by_alias=True, exclude_none=True)))


def save_comparison(curves: Curves, project: str | None = None, entity: str | None = None) -> str:
    """Lays the view on a project at the server, in place of an earlier one; gives its address.

    `project` None takes WANDB_PROJECT, else hoifield; `entity` None takes WANDB_ENTITY, else the one of the key. It never asks for a key at the
    terminal, and gives up after `SAVE_SECONDS`.

    Raises MissingDependency HF-RUN-009 and HF-RUN-017 as `describe_comparison`, ConfigurationError HF-RUN-018 without a key and HF-RUN-021
    where the key belongs to no entity, MissingInput HF-RUN-020 for a project that is not there, InputOutputFailure HF-RUN-019 where the server
    cannot be reached, refuses the key or does not take the view.
    """
    wandb = import_wandb()
    _import_workspaces()
    failures = wandb_failures()
    try:
        return _within(SAVE_SECONDS, lambda: _save(wandb, curves, project or name_project(), entity))
    except wandb.errors.UsageError as error:
        raise ConfigurationError("HF-RUN-018", "no wandb key was found", "run `wandb login` or set WANDB_API_KEY; " + _LOOK_REMEDY) from error
    except failures as error:
        cause = f"the view was not saved: {_explain(error)}"
        raise InputOutputFailure("HF-RUN-019", cause, "see to the network, WANDB_BASE_URL or `wandb login`; " + _LOOK_REMEDY) from error
    finally:
        # Ends the calls that are still waiting, too.
        wandb.teardown()


def _save(wandb: Any, curves: Curves, project: str, entity: str | None) -> str:
    """Finds an earlier view, sends ours under its id, and gives the address."""
    workspaces = _import_workspaces()
    # A silent wandb asks nothing at the terminal: without a key it raises.
    wandb.setup(wandb.Settings(silent=True))
    # Longer than we wait, so that who gives up is us, with words that say why.
    api = wandb.Api(timeout=int(2 * SAVE_SECONDS))
    owner = entity or os.environ.get("WANDB_ENTITY") or api.default_entity
    if not owner:
        raise ConfigurationError("HF-RUN-021", "the wandb key belongs to no default entity", "name one: --entity NAME")
    view = _build_view(owner, project, curves)
    view.name = f"nw-{_VIEW}-v"
    view.id = _find_view(api, owner, project, view.name)
    answer = workspaces.internal.upsert_view2(view)
    if not (answer.get("upsertView") or {}).get("view"):
        raise OSError("the server's answer names no view")
    return f"{_app_url(api)}/{urllib.parse.quote(owner)}/{urllib.parse.quote(project)}?nw={_VIEW}"


def _find_view(api: Any, owner: str, project: str, view: str) -> str:
    """The server's id of a view of that name; empty where there is none."""
    from wandb_workspaces._graphql import execute_graphql

    found = execute_graphql(api, _FIND_VIEW, {"entity": owner, "project": project, "view": view}).get("project")
    if found is None:
        cause = f"{owner}/{project} is no project at the server, or the key may not see it"
        remedy = "name it with --project and --entity; the first run that is sent makes it: hoifield track sync RUN --mode online"
        raise MissingInput("HF-RUN-020", cause, remedy)
    nodes = [edge["node"] for edge in found["allViews"]["edges"]]
    return str(nodes[0]["id"]) if nodes else ""


def _app_url(api: Any) -> str:
    """Where people look at the server's pages, without a slash at the end."""
    from wandb_workspaces._graphql import get_app_url

    return str(get_app_url(api)).rstrip("/")


def _build_view(owner: str, project: str, curves: Curves) -> Any:
    """The view as wandb_workspaces' own record."""
    workspaces = _import_workspaces()
    from wandb_workspaces import expr

    view = workspaces.Workspace(
        entity=owner,
        project=project,
        name=VIEW_TITLE,
        sections=_build_sections(curves),
        settings=workspaces.WorkspaceSettings(x_axis=STEP_KEY),
        runset_settings=workspaces.RunsetSettings(
            groupby=[expr.Metric("Group")],
            pinned_columns=[f"summary:{key}" for key in summary_keys()],
        ),
    )._to_model()
    # The table is grouped by clip; panels that followed it would show one mean for all runs of a clip.
    for settings in (view.spec.section.settings, *(section.local_panel_settings for section in view.spec.section.panel_bank_config.sections)):
        settings.use_runs_table_grouping_in_panels = False
    return view


def _build_sections(curves: Curves) -> list[Any]:
    """Bars of each figure, curves of each stage, pictures of each stage's end, the video and the scene."""
    workspaces = _import_workspaces()
    from wandb_workspaces.reports.v2 import panels

    def section(name: str, shown: list[Any], columns: int, is_open: bool) -> Any:
        layout = workspaces.SectionLayoutSettings(columns=columns, rows=-(-len(shown) // columns))
        settings = workspaces.SectionPanelSettings(x_axis=STEP_KEY)
        return workspaces.Section(name=name, panels=shown, is_open=is_open, layout_settings=layout, panel_settings=settings)

    bars = {part: [panels.BarPlot(title=name, metrics=[f"{part}/{name}"]) for name in SUMMARY_NUMBERS[part]] for part in BAR_PARTS}
    lines = {
        stage: [panels.LinePlot(title=f"{stage}/{loss}", x=STEP_KEY, y=[f"{stage}/{loss}"]) for loss in losses] for stage, losses in curves.items()
    }
    pictures = [panels.MediaBrowser(title=stage, media_keys=[picture_key(stage)]) for stage in curves]
    results = [panels.MediaBrowser(title=key, media_keys=[key]) for key in (OVERLAY_KEY, SCENE_KEY)]
    return [
        *(section(part, shown, 3, part == "quality") for part, shown in bars.items()),
        *(section(stage, shown, 3, False) for stage, shown in lines.items()),
        section("pictures", pictures, 2, True),
        section("result", results, 2, True),
    ]


def _import_workspaces() -> Any:
    """wandb_workspaces.workspaces, by which views are described."""
    import_wandb()
    try:
        import wandb_workspaces.workspaces
    except ImportError as error:
        raise MissingDependency("HF-RUN-017", "wandb-workspaces is not installed", "pip install 'hoifield[wandb]'") from error
    return wandb_workspaces.workspaces


def _within(seconds: float, work: Callable[[], Answer]) -> Answer:
    """What the work gives; raises TimeoutError where it takes longer, and leaves it to whoever ends it."""
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        return pool.submit(work).result(timeout=seconds)
    finally:
        pool.shutdown(wait=False)


def _explain(error: Exception) -> str:
    """The failure in words; of a server that kept silent, whether it can be reached at all."""
    if not isinstance(error, TimeoutError):
        return one_line(str(error))
    reached = "gave no answer" if server_answers() else "could not be reached"
    return f"the wandb server {reached} in {SAVE_SECONDS:.0f} s"
