"""Whether a recipe can be had from where it shall come from."""

from __future__ import annotations

from openhands_recipes.compile.nix.flake import nixpkgs_faults
from openhands_recipes.compile.recipe.faults import Fault
from openhands_recipes.compile.recipe.packages import package_faults, refusals
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.flake import LanguageNames
from openhands_recipes.model.package import PackageSource, PackageTable
from openhands_recipes.model.platform import PLATFORMS


def source_faults(
    composed: Composed, table: PackageTable, names: LanguageNames, source: PackageSource = "debian"
) -> list[Fault]:
    """What is wrong with a recipe's packages in a source.

    Where the recipe says that this source cannot provide it (`unavailable`), the other one is judged.
    """
    other: PackageSource = "nixpkgs" if source == "debian" else "debian"
    if source in composed.unavailable:
        if other in composed.unavailable:
            return refusals(composed, source) + refusals(composed, other)
        source = other
    if source == "debian":
        return package_faults(composed.packages, table)
    return nixpkgs_faults(composed, table, names, composed.platforms or PLATFORMS)
