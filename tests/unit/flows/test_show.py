"""What a composed recipe looks like, and where its values come from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from openhands_recipes.compile.recipe.compose import compose
from openhands_recipes.compile.recipe.parse import parse
from openhands_recipes.compile.recipe.print import effective_document
from openhands_recipes.errors import InvalidRecipeError, ResolutionError, UsageError
from openhands_recipes.flows.check import Bases
from openhands_recipes.flows.show import show
from tests.recipe_texts import project, recipe_text

TEXTS = {
    "base": recipe_text(
        "base", "packages: [git]\nenvironment: {LANG: C.UTF-8}\nuser: {name: agent, uid: 10001, gid: 10001}\n"
    ),
    "example": recipe_text(
        body='extends: [base]\npython: {version: "3.13", packages: [pip]}\nenvironment: {A: "1"}\n'
        "tests: [{name: it works, run: pip --version}]\n"
        "permissions: {network: {egress: [python-packages]}}\nplatforms: [linux/amd64]\n"
    ),
}


def test_people_see_values_beside_their_places(tmp_path: Path) -> None:
    shown = show(project(tmp_path, TEXTS), "example", "text")
    assert [re.sub(r"(?<=\S) {2,}", " @ ", line) for line in shown.splitlines()] == [
        "example 1.0.0: An example",
        "lineage: example 1.0.0 <- base 1.0.0",
        "",
        "packages",
        "  git @ recipes/base/recipe.yaml:7",
        "  python 3.13 (python3, python3-venv) @ recipes/example/recipe.yaml:8",
        "",
        "platforms",
        '  ["linux/amd64"] @ recipes/example/recipe.yaml:12',
        "",
        "python",
        "  version: 3.13 @ recipes/example/recipe.yaml:8",
        '  packages: ["pip"] @ recipes/example/recipe.yaml:8',
        "",
        "environment",
        "  A: 1 @ recipes/example/recipe.yaml:9",
        "  LANG: C.UTF-8 @ recipes/base/recipe.yaml:8",
        "",
        "user",
        '  {"name": "agent", "uid": 10001, "gid": 10001} @ recipes/base/recipe.yaml:9',
        "",
        "permissions",
        '  network: {"egress": ["python-packages"]} @ recipes/example/recipe.yaml:11',
        "",
        "tests",
        "  it works @ recipes/example/recipe.yaml:10",
    ]
    assert len({line.index("recipes/") for line in shown.splitlines() if "recipes/" in line}) == 1


def test_programs_get_recipe_lineage_packages_and_origins(tmp_path: Path) -> None:
    shown = json.loads(show(project(tmp_path, TEXTS), "example", "json"))
    assert [level["name"] for level in shown["lineage"]] == ["base", "example"]
    assert shown["recipe"]["environment"] == {"A": "1", "LANG": "C.UTF-8"}
    assert shown["packages"] == [
        {"name": "git", "stream": "", "debian": ["git"]},
        {"name": "python", "stream": "3.13", "debian": ["python3", "python3-venv"]},
    ]
    assert {
        "path": ["environment", "LANG"],
        "origins": [{"recipe": "base", "file": "recipes/base/recipe.yaml", "line": 8, "column": 15}],
    } in shown["origins"]


def test_the_yaml_form_is_a_recipe_that_says_the_same(tmp_path: Path) -> None:
    store = project(tmp_path, TEXTS)
    text = show(store, "example", "yaml")
    assert (
        'environment:\n  # recipes/example/recipe.yaml:9\n  A: "1"\n  # recipes/base/recipe.yaml:8\n' in text
    )
    assert "\n# recipes/base/recipe.yaml:9\nuser:\n  name: agent\n" in text
    again = parse(text.encode(), file="recipes/example/recipe.yaml")
    original = effective_document(compose("example", Bases(store)))
    assert effective_document(compose("example", {"example": again})) == original


def test_what_cannot_be_shown_says_why(tmp_path: Path) -> None:
    texts = {
        "broken": "a: 1",
        "child": recipe_text("child", "extends: [broken]\n"),
        "odd": recipe_text("odd", "packages: [gti]\n"),
    }
    store = project(tmp_path, texts)
    with pytest.raises(UsageError, match="there is no recipe 'none'"):
        show(store, "none", "text")
    with pytest.raises(InvalidRecipeError):
        show(store, "child", "text")
    with pytest.raises(ResolutionError, match="unknown package 'gti'"):
        show(store, "odd", "text")


def test_the_recipes_of_a_store_are_a_mapping(tmp_path: Path) -> None:
    bases = Bases(project(tmp_path, TEXTS))
    assert list(bases) == ["base", "example"]
    assert len(bases) == 2
    assert "base" in bases
    assert "none" not in bases
    with pytest.raises(KeyError):
        bases["none"]
