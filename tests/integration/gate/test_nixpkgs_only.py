"""Recipes that only nixpkgs can provide are judged by nixpkgs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from openhands_recipes.adapters.dependants import DependantsFile
from openhands_recipes.adapters.git_history import GitHistory
from openhands_recipes.compile.recipe.extends import bases_in
from openhands_recipes.flows.gate import GateOrder, gate
from openhands_recipes.flows.gate_case import Gatehouse
from openhands_recipes.model.gate_states import KnownStates
from tests.fakes import QuietProgress
from tests.integration.gate.draft import Draft
from tests.integration.gate.registry import recipe, registry
from tests.integration.gate.repository import Blob, GateRepository

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ONLY_NIXPKGS = 'packages: [{name: postgresql, version: "16"}]\n'
SAYS_SO = "unavailable: {debian: Debian has PostgreSQL 17 only}\n"


def codes(tmp_path: Path, body: str, *, closure: bool) -> set[str]:
    """What the gate says, in stages A to F, of a new recipe."""
    repository = GateRepository(tmp_path / "registry.git")
    files = {path: Blob(content) for path, content in registry().items()}
    base = repository.commit(repository.tree(files))
    draft = Draft(dict(files)).write("recipes/elder/recipe.yaml", recipe("elder", body))
    if closure:
        draft.write("recipes/elder/recipe.closure.json", "{}\n")
    base, head = draft.send(repository, base)
    history = GitHistory(repository.folder)
    index = DependantsFile(tmp_path, history, bases_in=bases_in, progress=QuietProgress())
    house = Gatehouse(history, index, KnownStates(), QuietProgress())
    verdict = gate(house, GateOrder(base, head, stages=("B",)), now=NOW).verdict
    return {found.code for found in verdict.findings if found.severity == "error"}


@pytest.mark.parametrize(
    ("body", "closure", "expected"),
    [
        (ONLY_NIXPKGS + SAYS_SO, True, set()),
        (ONLY_NIXPKGS + SAYS_SO, False, {"OHR228"}),
        (ONLY_NIXPKGS, True, {"OHR052", "OHR228"}),
        ('packages: [{name: postgresql, version: "3"}]\n' + SAYS_SO, True, {"OHR051"}),
    ],
)
def test_a_recipe_that_debian_cannot_provide_needs_a_closure_and_packages_of_nixpkgs(
    tmp_path: Path, body: str, *, closure: bool, expected: set[str]
) -> None:
    assert codes(tmp_path, body, closure=closure) == expected
