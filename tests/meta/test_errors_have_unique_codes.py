"""A code means one thing, and docs/errors.md lists them all."""

import importlib.util
import re
from types import ModuleType

import pytest
from source_files import PACKAGE, ROOT, read_sources, write_tree

CODE = re.compile(r"HF-[A-Z]{3}-\d{3}")
PAGE = ROOT / "docs" / "errors.md"
REWRITE = "run `python docs/list_errors.py`"


@pytest.fixture(scope="module")
def list_errors() -> ModuleType:
    """The script that writes the page."""
    specification = importlib.util.spec_from_file_location("list_errors", ROOT / "docs" / "list_errors.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def mentions(list_errors) -> list:
    """Every use of a code in the package."""
    return list_errors.collect_mentions(PACKAGE)


def test_a_code_is_raised_by_one_class_of_error_only(list_errors, mentions):
    assert list_errors.find_double_meanings(mentions) == []


def test_the_check_finds_a_code_with_two_meanings(list_errors, tmp_path):
    folder = write_tree(
        tmp_path,
        {
            "a.py": 'def f():\n    raise UsageError("HF-AAA-001", "cause", "remedy")\n',
            "b.py": 'CODE = "HF-AAA-001"\n\ndef g():\n    raise RefusedInput(CODE, f"{1} found", "remedy")\n',
            "c.py": 'def h(error):\n    write(f"HF-AAA-002: {error}\\n  try: again")\n    raise UsageError("HF-AAA-002", "cause", "remedy")\n',
            "d.py": 'def k():\n    raise UsageError("HF-AAA-003", "one", "remedy")\n    raise UsageError("HF-AAA-003", "two", "remedy")\n',
        },
    )
    assert list_errors.find_double_meanings(list_errors.collect_mentions(folder)) == [
        "HF-AAA-001: RefusedInput (b.py:4), UsageError (a.py:2)",
        "HF-AAA-002: UsageError (c.py:3), printed (c.py:2)",
    ]


def test_every_code_in_the_source_is_used_by_an_error_or_a_reason(mentions):
    written = {code for source in read_sources(PACKAGE) for code in CODE.findall(source.text)}
    assert written - {mention.code for mention in mentions} == set()


def test_the_page_lists_every_code_and_none_that_is_gone(mentions):
    used = {mention.code for mention in mentions}
    listed = set(re.findall(r"^\| (HF-[A-Z]{3}-\d{3}) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert (used - listed, listed - used) == (set(), set()), REWRITE


def test_every_listed_error_names_its_cause_and_what_to_try(list_errors, mentions):
    raised = [mention for mention in mentions if mention.kind != list_errors.NOTE]
    assert [mention.place for mention in raised if not mention.cause or not mention.remedy] == []
    assert [mention.place for mention in mentions if not mention.cause] == []
    assert {mention.code[3:6] for mention in mentions} <= set(list_errors.AREAS)
