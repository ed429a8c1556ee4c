"""Writes the documentation as a folder of plain HTML that opens without a network: `python docs/build_site.py SITE`.

Pages are the repository's own texts. A link to another text becomes a link to its page, a link to any other file of the repository takes the
file along, and a link to nothing is an error.
"""

import argparse
import html
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[1]
SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Start", ("README.md", "docs/concepts.md", "docs/commands.md", "docs/coming_from_elsewhere.md", "docker/README.md")),
    ("How to", ("docs/how_to/*.md",)),
    ("What it means", ("docs/conventions.md", "docs/scores.md", "docs/benchmark.md", "docs/real_sets.md", "docs/errors.md")),
    ("How it is made", ("docs/architecture.md", "docs/decisions/README.md", "docs/decisions/0*.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    ("What was measured", ("experiments/README.md", "experiments/*/outcome.md")),
)
STYLE = """
body { margin: 0; display: grid; grid-template-columns: 17rem minmax(0, 1fr); font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff }
nav { padding: 1rem; background: #f4f3f0; font-size: .85rem; height: 100vh; overflow: auto; position: sticky; top: 0; box-sizing: border-box }
nav h2 { font-size: .8rem; margin: 1rem 0 .2rem; color: #666 } nav a { display: block; padding: .1rem 0 } nav a[aria-current] { font-weight: bold }
main { padding: 1rem 2rem 4rem; max-width: 62rem } a { color: #0a5a8a; text-decoration: none } a:hover { text-decoration: underline }
pre { background: #f4f3f0; padding: .8rem; overflow-x: auto; line-height: 1.35 } code { font-size: .9em } img { max-width: 100% }
table { border-collapse: collapse; display: block; overflow-x: auto }
td, th { border: 1px solid #ddd; padding: .25rem .6rem; vertical-align: top; text-align: left }
@media (max-width: 800px) { body { display: block } nav { position: static; height: auto } }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #1b1b1b } nav, pre { background: #262626 } a { color: #7cc0ee } td, th { border-color: #444 } nav h2 { color: #aaa }
}
"""


class BrokenLink(Exception):
    """A text names a file that is not there."""


@dataclass(frozen=True)
class Page:
    """One text of the repository."""

    source: PurePosixPath
    """Below the root."""
    title: str
    section: str

    @property
    def target(self) -> PurePosixPath:
        """Below the site."""
        return PurePosixPath("index.html") if self.source.as_posix() == "README.md" else self.source.with_suffix(".html")


def find_pages(root: Path) -> tuple[Page, ...]:
    """The texts in the order of the sections; a section without texts has none."""
    pages: list[Page] = []
    for section, patterns in SECTIONS:
        for pattern in patterns:
            for path in sorted(root.glob(pattern)):
                text = path.read_text(encoding="utf-8")
                title = re.search(r"^# (.+)$", text, re.MULTILINE)
                pages.append(Page(PurePosixPath(path.relative_to(root).as_posix()), title.group(1) if title else path.stem, section))
    return tuple(pages)


def build_site(root: Path, site: Path) -> tuple[Page, ...]:
    """Writes every page, and every file that one of them links to, below `site`. Raises BrokenLink."""
    pages = find_pages(root)
    by_source = {page.source: page for page in pages}
    for page in pages:
        target = site / page.target
        target.parent.mkdir(parents=True, exist_ok=True)
        text = (root / page.source).read_text(encoding="utf-8")
        target.write_text(_frame(page, pages, _render(text, lambda link, page=page: _follow(link, page, by_source, root, site))), encoding="utf-8")
    return pages


def _render(text: str, follow: Callable[[str], str]) -> str:
    """HTML of a text, its links and pictures led to where they lie in the site, its headings to be linked to."""
    reader = MarkdownIt("commonmark").enable("table")
    tokens = reader.parse(text)
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", anchor_of(tokens[number + 1].content))
        for child in token.children or []:
            _lead(child, follow)
    return str(reader.renderer.render(tokens, reader.options, {}))


def _lead(token: Token, follow: Callable[[str], str]) -> None:
    name = {"link_open": "href", "image": "src"}.get(token.type)
    if name is not None:
        token.attrSet(name, follow(str(token.attrs[name])))


def anchor_of(heading: str) -> str:
    """The name by which a heading is linked to, as code forges make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _follow(link: str, page: Page, by_source: dict[PurePosixPath, Page], root: Path, site: Path) -> str:
    """Where a link of a page leads in the site; the file it names is taken along."""
    name, _, anchor = link.partition("#")
    if not name or re.match(r"[a-z]+:", name):
        return link
    source = PurePosixPath(os.path.normpath(page.source.parent / name))
    if not (root / source).exists() or source.parts[0] == "..":
        raise BrokenLink(f"{page.source} links to {link}, which is not there")
    other = by_source.get(source)
    target = source if other is None else other.target
    if other is None and (root / source).is_file():
        (site / source).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / source, site / source)
    led = os.path.relpath(target, page.target.parent)
    return f"{led}#{anchor}" if anchor else led


def _frame(page: Page, pages: tuple[Page, ...], body: str) -> str:
    links = []
    for section, _ in SECTIONS:
        links.append(f"<h2>{html.escape(section)}</h2>")
        for other in pages:
            if other.section == section:
                here = ' aria-current="page"' if other is page else ""
                links.append(f'<a href="{os.path.relpath(other.target, page.target.parent)}"{here}>{html.escape(other.title.replace("`", ""))}</a>')
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{html.escape(page.title)}</title>'
    return f"<!doctype html><html lang=en><head>{head}<style>{STYLE}</style></head><body><nav>{''.join(links)}</nav><main>{body}</main></body></html>\n"


def main() -> None:
    """Writes the site and says how many pages it has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path)
    site = parser.parse_args().site
    print(f"{len(build_site(ROOT, site))} pages: {site / 'index.html'}")


if __name__ == "__main__":
    main()
