"""Codes, titles and pages belong together, and the pages tell the truth."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from openhands_recipes.compile.recipe.faults import (
    SHAPE_CODES,
    TITLES,
    WARNINGS,
    Code,
    Fault,
    did_you_mean,
    error_of,
    in_reading_order,
)
from openhands_recipes.compile.recipe.rules import RULES
from openhands_recipes.errors import InvalidRecipeError, ResolutionError
from tests.recipe_texts import TREE, faults_of_example

PAGES = TREE / "docs" / "errors"


def test_every_code_has_a_title_and_titles_differ() -> None:
    assert TITLES.keys() == set(Code)
    assert len(set(TITLES.values())) == len(TITLES)


def test_the_list_of_codes_is_complete() -> None:
    listed = re.findall(r"\| \[(OHR\d{3})\]\(\1\.md\) \| (.*) \|", (PAGES / "index.md").read_text())
    assert {str(code): title for code, title in TITLES.items()}.items() <= dict(listed).items()


def test_rules_are_beyond_what_a_schema_can_say() -> None:
    assert not SHAPE_CODES & RULES.keys()


@pytest.mark.parametrize("code", list(Code))
def test_the_page_of_a_code_explains_it(code: Code) -> None:
    page = (PAGES / f"{code}.md").read_text()
    assert page.startswith(f"# {code}: {TITLES[code]}\n\n")
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == ["Example", "How to fix it"]
    assert f"```text\n{'warning' if code in WARNINGS else 'error'}[{code}]: " in page


@pytest.mark.parametrize("code", list(Code))
def test_the_example_of_a_page_is_reported_as_the_page_says(code: Code, tmp_path: Path) -> None:
    page = (PAGES / f"{code}.md").read_text()
    example = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    if example is None:
        return  # too large to show, or about another file than a recipe
    said = re.search(r"```text\n(.*?)```", page, re.DOTALL)
    assert said
    faults = [fault for fault in faults_of_example(example.group(1), tmp_path) if fault.code == code]
    hint = f"  hint: {faults[0].hint}\n" if faults[0].hint else ""
    assert said.group(1) == f"error[{code}]: {faults[0].message}\n{hint}"


def test_faults_are_told_once_and_in_reading_order() -> None:
    first, second = Fault(Code.LICENSE, "x", "a", 1, 5), Fault(Code.LICENSE, "x", "a", 2, 1)
    elsewhere = Fault(Code.LICENSE, "x", "b", 1, 1)
    assert in_reading_order([elsewhere, second, first, second]) == (first, second, elsewhere)


def test_a_fault_of_a_whole_file_names_no_line() -> None:
    assert str(Fault(Code.TOO_LARGE, "too large", "a/b")) == "error[OHR001]: too large\n  --> a/b"


def test_faults_become_the_kind_of_error_that_is_asked_for() -> None:
    one = Fault(Code.CYCLE, "round", "a", 3, 1, hint="stop")
    error = error_of([one], ResolutionError)
    assert isinstance(error, ResolutionError)
    assert str(error) == "round\n  --> a:3:1\n  hint: stop"
    assert error.faults == (one,)
    assert isinstance(error_of([one, one]), InvalidRecipeError)


def test_near_words_are_suggested_and_far_ones_are_not() -> None:
    assert did_you_mean("ubunut", ["ubuntu", "debian"]) == "did you mean 'ubuntu'?"
    assert did_you_mean("Git", ["git"]) == "did you mean 'git'?"
    assert did_you_mean("xyz", ["ubuntu", "debian"]) is None
