"""Compiling flakes from a store that may be broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhands_recipes.errors import OutsideError, UsageError
from openhands_recipes.flows.flake import compile_flakes
from tests.recipe_texts import project, recipe_text


def test_an_installation_without_its_library_says_so(tmp_path: Path) -> None:
    store = project(tmp_path, {"example": recipe_text()})
    with pytest.raises(OutsideError, match=r"nixlib/languages\.toml is missing from the installation"):
        compile_flakes(store, ["example"])


def test_an_unknown_recipe_is_a_matter_of_the_command_line(tmp_path: Path) -> None:
    store = project(tmp_path, {"example": recipe_text()})
    (tmp_path / "nixlib" / "template").mkdir(parents=True)
    (tmp_path / "nixlib" / "languages.toml").write_text("[python]\n[npm]\n")
    (tmp_path / "nixlib" / "template" / "flake.nix").write_text("{ }")
    assert [flake.name for flake in compile_flakes(store, ["example", "example"])] == ["example"]
    with pytest.raises(UsageError, match="there is no recipe 'other'"):
        compile_flakes(store, ["other"])
