"""Starting a recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhands_recipes.compile.recipe.schema import schema_text
from openhands_recipes.errors import ResolutionError, UsageError
from openhands_recipes.flows.check import check
from openhands_recipes.flows.new import new
from tests.recipe_texts import project, recipe_text


def test_a_new_recipe_passes_the_check(tmp_path: Path) -> None:
    store = project(tmp_path, {"base": recipe_text("base")})
    assert new(store, "fresh") == "recipes/fresh/recipe.yaml"
    assert check(store).is_good
    text = (tmp_path / "recipes" / "fresh" / "recipe.yaml").read_text()
    assert text.startswith(
        "# yaml-language-server: $schema=../../schema/recipe.schema.json\nschema: 1\nname: fresh\n"
    )
    assert "extends:\n  - base\n" in text
    assert (tmp_path / "schema" / "recipe.schema.json").read_text() == schema_text("recipe.schema.json")


def test_a_new_recipe_says_what_it_is_told(tmp_path: Path) -> None:
    store = project(tmp_path, {name: recipe_text(name) for name in ("one", "two")})
    new(store, "fresh", extends=["one", "two@^1"], summary="3.10: no", maintainer="octo-cat:583231")
    text = (tmp_path / "recipes" / "fresh" / "recipe.yaml").read_text()
    assert "summary: '3.10: no'\n" in text
    assert "extends:\n  - one\n  - two@^1\n" in text
    assert "  - github: octo-cat\n    id: 583231\n" in text
    assert check(store).is_good


def test_without_a_library_a_new_recipe_extends_nothing(tmp_path: Path) -> None:
    store = project(tmp_path, {})
    new(store, "fresh")
    assert "extends" not in (tmp_path / "recipes" / "fresh" / "recipe.yaml").read_text()
    assert check(store).is_good


def test_nothing_is_written_unless_it_is_right(tmp_path: Path) -> None:
    store = project(tmp_path, {"python": recipe_text("python")})
    with pytest.raises(ResolutionError) as caught:
        new(store, "fresh", extends=["pyhton"])
    assert caught.value.hint == "did you mean 'python'?"
    assert store.own_names() == ("python",)


@pytest.mark.parametrize(
    ("name", "maintainer", "message"),
    [
        ("Fresh", "a:1", "'Fresh' cannot be a recipe's name"),
        ("base", "a:1", "there is a recipe 'base' already"),
        ("fresh", "@a", "'@a' is not a maintainer"),
        ("fresh", "a:0", "'a:0' is not a maintainer"),
    ],
)
def test_what_cannot_be_started_says_why(tmp_path: Path, name: str, maintainer: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        new(project(tmp_path, {"base": recipe_text("base")}), name, maintainer=maintainer)
    assert caught.value.message == message
