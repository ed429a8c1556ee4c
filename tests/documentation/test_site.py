"""The documentation as a site: every link leads somewhere, nothing is asked of a network, and every command that a text names is there."""

import contextlib
import io
import re
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from docs_program import ROOT, load_docs_program

from hoifield.cli import main

COMMAND = re.compile(r"\bhoifield ([a-z]+)((?: [^`#\n]*)?)")
GROUPS = {"benchmark": ("accuracy", "speed"), "prior": ("data", "train", "sample", "evaluate"), "track": ("sync", "workspace")}
SINGLE = ("fit", "observe", "synth", "evaluate", "report", "view", "export", "compare", "batch", "doctor")


@pytest.fixture(scope="module")
def build_site() -> ModuleType:
    """docs/build_site.py."""
    return load_docs_program("build_site")


@pytest.fixture(scope="module")
def site(build_site: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build_site.build_site(ROOT, folder)
    return folder


def references(page: Path) -> list[str]:
    return re.findall(r'(?:href|src)="([^"]+)"', page.read_text(encoding="utf-8"))


def test_every_page_is_written_and_named_in_the_list_of_the_first(build_site: ModuleType, site: Path):
    pages = build_site.find_pages(ROOT)
    listed = references(site / "index.html")
    assert len(pages) > 40 and all((site / page.target).is_file() and page.target.as_posix() in listed for page in pages)
    how_to = {path.name for path in (ROOT / "docs" / "how_to").glob("*.md")}
    assert how_to == {page.source.name for page in pages if page.section == "How to"}


def test_every_link_leads_to_a_file_and_its_heading_and_nothing_is_loaded_from_elsewhere(site: Path):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r'<(?:script|link|iframe)|src="[a-z]+:|url\(|@import', text), page
        for reference in references(page):
            if re.match(r"https?:", reference):
                continue
            name, _, anchor = reference.partition("#")
            target = page if not name else page.parent / name
            assert target.exists(), (page, reference)
            assert not anchor or f'id="{anchor}"' in target.read_text(encoding="utf-8"), (page, reference)


def test_a_link_to_nothing_is_an_error(build_site: ModuleType, tmp_path: Path):
    (tmp_path / "README.md").write_text("# One\n\n[gone](docs/gone.md)\n")
    with pytest.raises(build_site.BrokenLink, match="docs/gone.md"):
        build_site.build_site(tmp_path, tmp_path / "site")
    (tmp_path / "README.md").write_text("# One\n\n[outside](../secret.txt)\n")
    (tmp_path.parent / "secret.txt").write_text("not of this repository")
    with pytest.raises(build_site.BrokenLink, match="secret"):
        build_site.build_site(tmp_path, tmp_path / "site")


@cache
def help_of(*words: str) -> str:
    """What `hoifield WORDS --help` prints."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
        main.run([*words, "--help"])
    return shown.getvalue()


def find_unknown_commands(text: str) -> list[str]:
    """Commands, and options of commands, that a text names and the command line does not know."""
    unknown = []
    for word, rest in COMMAND.findall(text):
        words: tuple[str, ...] = (word,)
        following = rest.split()
        if word in GROUPS:
            named = following[0].split("|") if following else []
            unknown += [f"{word} {name}" for name in named if name not in GROUPS[word]]
            words = (word, named[0]) if named and named[0] in GROUPS[word] else (word,)
        elif word not in SINGLE:
            continue
        for option in re.findall(r"(?<![\w-])--[a-z0-9-]+", rest):
            if not re.search(rf"(?<![\w-]){option}(?![\w-])", help_of(*words)):
                unknown.append(f"{' '.join(words)} {option}")
    return unknown


def test_every_command_that_a_text_names_is_there(build_site: ModuleType):
    for page in build_site.find_pages(ROOT):
        if page.section != "What was measured":
            assert find_unknown_commands((ROOT / page.source).read_text(encoding="utf-8")) == [], page.source
    named = " ".join((ROOT / page.source).read_text(encoding="utf-8") for page in build_site.find_pages(ROOT))
    assert all(f"hoifield {word}" in named for word in (*SINGLE, *GROUPS))


def test_the_check_knows_a_wrong_option_and_a_wrong_command():
    assert find_unknown_commands("`hoifield fit --video clip.mp4 --depth d`") == []
    assert find_unknown_commands("`hoifield fit --video clip.mp4 --teleport`") == ["fit --teleport"]
    assert find_unknown_commands("`hoifield benchmark beauty`") == ["benchmark beauty"]
