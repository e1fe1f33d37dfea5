"""Every conformance document is judged as its name says, in exactly the words beside it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from openhands_recipes.compile.recipe.faults import Code
from openhands_recipes.flows.check import check
from tests.recipe_texts import project

HERE = Path(__file__).parent
OTHER_SOURCES = {Code.NOT_FROM_SOURCE, Code.NOT_IN_NIXPKGS}
MADE_ELSEWHERE = {Code.TOO_LARGE, Code.PACKAGE_TABLE, Code.UNREADABLE, Code.STALE_LOCK} | OTHER_SOURCES
"""Faults that no document has by itself: too large, of other files than a recipe, or with another source."""


def documents(kind: str) -> list[Path]:
    return sorted(path for path in (HERE / kind).iterdir() if path.is_dir() or path.suffix == ".yaml")


def report_on(document: Path, folder: Path) -> str:
    if document.is_dir():
        texts = {home.name: (home / "recipe.yaml").read_bytes() for home in document.iterdir()}
    else:
        texts = {"example": document.read_bytes()}
    faults = check(project(folder, texts), ["example"]).faults
    return "".join(f"{fault}\n" for fault in faults)


@pytest.mark.parametrize("document", documents("valid"), ids=lambda path: path.name)
def test_right_recipes_have_no_fault(document: Path, tmp_path: Path) -> None:
    assert report_on(document, tmp_path) == ""


@pytest.mark.parametrize("document", documents("invalid"), ids=lambda path: path.name)
def test_wrong_recipes_are_told_so_in_these_words(
    document: Path, tmp_path: Path, golden: Callable[[Path, str], None]
) -> None:
    report = report_on(document, tmp_path)
    code = re.match(r"OHR\d{3}", document.name)
    assert code is None or f"error[{code.group()}]" in report
    golden(document.parent / f"{document.name.removesuffix('.yaml')}.txt", report)


def test_every_fault_a_recipe_can_have_has_a_document() -> None:
    shown = {document.name[:6] for document in documents("invalid")}
    assert {str(code) for code in Code} - shown == {str(code) for code in MADE_ELSEWHERE}


def test_no_expectation_outlives_its_document() -> None:
    names = {document.name.removesuffix(".yaml") for document in documents("invalid")}
    assert {text.stem for text in (HERE / "invalid").glob("*.txt")} == names
