"""`ohr new`, `ohr check` and `ohr show`, from the command line to the answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openhands_recipes.cli.main import run_with
from tests.recipe_texts import recipe_text


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder; the library that comes along is the only one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_recipe_is_started_checked_and_shown(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with(["new", "demo", "--extends", "base", "--maintainer", "somebody:7"]) == 0
    told = capsys.readouterr()
    assert told.out == "recipes/demo/recipe.yaml\n"
    assert told.err == "next: edit it, then `ohr check demo` and `ohr lock demo`\n"
    assert (here / "schema" / "recipe.schema.json").is_file()
    assert run_with(["check"]) == 0
    assert capsys.readouterr().out == "1 recipe checked, no fault\n"
    assert run_with(["show", "demo", "--format", "json"]) == 0
    assert [level["name"] for level in json.loads(capsys.readouterr().out)["lineage"]] == ["base", "demo"]


def test_faults_end_with_one_and_are_the_result(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "recipes" / "demo").mkdir(parents=True)
    (here / "recipes" / "demo" / "recipe.yaml").write_text(recipe_text("demo", "python: {version: 3.10}\n"))
    assert run_with(["check", "recipes/demo"]) == 1
    told = capsys.readouterr()
    assert told.out == (
        "error[OHR013]: 'python.version' is text, but YAML reads 3.10 as a number\n"
        "  --> recipes/demo/recipe.yaml:7:19\n"
        '  hint: quote it: "3.10"\n\n'
        "1 recipe checked, 1 fault in 1 file\n"
    )
    assert told.err == ""
    assert run_with(["check", "--format", "github"]) == 1
    assert capsys.readouterr().out.startswith(
        "::error file=recipes/demo/recipe.yaml,line=7,col=19,title=OHR013 "
    )
    assert run_with(["check", "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["faults"][0]["fix"] == '"3.10"'


@pytest.mark.usefixtures("here")
def test_a_library_without_fault_has_no_annotations(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with(["check", "base", "--format", "github"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("here")
def test_recipes_there_are_none_of_are_a_mistake_on_the_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_with(["show", "bsae"]) == 2
    assert capsys.readouterr().err == "error: there is no recipe 'bsae'\n  hint: did you mean 'base'?\n"
    assert run_with(["check"]) == 2
