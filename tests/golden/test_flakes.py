"""The flakes of this repository say what its recipes say: committed, so that `nix develop` works on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from openhands_recipes.adapters.recipe_store import FolderStore
from openhands_recipes.compile.nix.folder import flake_lock
from openhands_recipes.flows.chain import Library
from openhands_recipes.flows.flake import compile_flake
from tests.recipe_texts import TREE

LIBRARY = Library.of(FolderStore(TREE, here=TREE))
RECIPES = LIBRARY.store.own_names()


@pytest.mark.parametrize("name", RECIPES)
def test_the_flake_data_beside_a_recipe_is_what_it_compiles_to(
    name: str, golden: Callable[[Path, str], None]
) -> None:
    files = compile_flake(LIBRARY, name).files
    golden(TREE / "recipes" / name / "flake.json", files["recipe.json"].decode())


def test_the_repository_is_a_flake_locked_to_the_pin_of_the_registry(
    golden: Callable[[Path, str], None],
) -> None:
    golden(TREE / "flake.lock", flake_lock(LIBRARY.settings.pins.nixpkgs).decode())


def test_no_flake_data_outlives_its_recipe() -> None:
    assert {path.parent.name for path in (TREE / "recipes").glob("*/flake.json")} == set(RECIPES)


def test_a_small_recipe_as_a_flake_folder(golden: Callable[[Path, str], None]) -> None:
    files = compile_flake(LIBRARY, "base").files
    for path in ("flake.lock", "flake.nix", "recipe.json"):
        golden(Path(__file__).parent / "flake-base" / path, files[path].decode())
    assert {path.partition("/")[0] for path in files} == {"flake.lock", "flake.nix", "nixlib", "recipe.json"}
