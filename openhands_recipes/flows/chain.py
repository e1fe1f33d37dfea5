"""A recipe's whole lineage, composed and with its locks: what every later verb starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openhands_recipes.compile.oci.rules import current_rules
from openhands_recipes.compile.pin import (
    Chain,
    LockedLevel,
    check_fresh,
    digest_of_lock,
    inputs_of,
    read_lock,
)
from openhands_recipes.compile.recipe.compose import compose
from openhands_recipes.compile.recipe.faults import error_of
from openhands_recipes.compile.recipe.packages import parse_package_table, refusals, resolve_packages
from openhands_recipes.compile.recipe.parse import ParsedRecipe, parse
from openhands_recipes.compile.recipe.settings import parse_settings
from openhands_recipes.errors import ResolutionError, StaleLockError, UsageError
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.package import PackageTable, ResolvedPackage
from openhands_recipes.model.platform import Platform
from openhands_recipes.model.settings import Settings
from openhands_recipes.ports import RecipeStore


@dataclass(frozen=True)
class Library:
    """Recipes as text become values here, once each, only those that are needed."""

    store: RecipeStore
    settings: Settings
    table: PackageTable
    parsed: dict[str, ParsedRecipe]

    @classmethod
    def of(cls, store: RecipeStore) -> Library:
        """A library over a store."""
        settings, packages = store.settings(), store.package_table()
        return cls(
            store,
            parse_settings(settings.content, file=settings.file),
            parse_package_table(packages.content, file=packages.file),
            {},
        )

    def composed(self, name: str) -> Composed:
        """A recipe with everything it extends.

        Raises:
            InvalidRecipeError: it or one of its modules is faulty.
            ResolutionError: they do not fit together.
        """
        self._load(name)
        return compose(name, self.parsed)

    def _load(self, name: str) -> None:
        waiting = [name]
        while waiting:
            current = waiting.pop()
            if current in self.parsed:
                continue
            stored = self.store.recipe(current)
            if stored is None:
                if current == name:
                    raise UsageError(
                        f"there is no recipe '{name}'", hint=f"known recipes: {', '.join(self.store.names())}"
                    )
                continue  # compose() says who extends it, where, and what may have been meant
            recipe = parse(stored.content, file=stored.file)
            self.parsed[current] = recipe
            waiting += [base.rpartition("/")[2].partition("@")[0] for base in recipe.recipe.extends]

    def packages(self, composed: Composed) -> tuple[ResolvedPackage, ...]:
        """What the recipe's package names come to in Debian.

        Raises:
            ResolutionError: Debian lacks some, or the recipe says that it cannot be had from Debian.
        """
        if faults := refusals(composed, "debian"):
            raise error_of(faults, ResolutionError)
        return resolve_packages(composed.packages, self.table)

    def platforms(self, composed: Composed) -> tuple[Platform, ...]:
        """What the recipe is built for."""
        return composed.platforms or self.settings.platforms

    def inputs(self, composed: Composed) -> dict[str, Any]:
        """What the recipe's lock depends on."""
        return inputs_of(
            composed,
            self.packages(composed),
            platforms=self.platforms(composed),
            suites=self.settings.pins.debian.suites,
        )

    def chain(self, name: str, *, fresh: bool = True) -> Chain:
        """A recipe's lineage with its locks.

        Raises:
            StaleLockError: a lock is missing, or (if `fresh` is asked for) belongs to something else.
        """
        levels: dict[str, LockedLevel] = {}
        for member in self.composed(name).lineage:
            levels[member] = self.locked(member, levels, fresh=fresh)
        return tuple(levels.values())

    def locked(self, name: str, known: Mapping[str, LockedLevel], *, fresh: bool = True) -> LockedLevel:
        """One level with its lock; `known` holds its ancestors."""
        composed = self.composed(name)
        stored = self.store.lock(name)
        if stored is None:
            raise StaleLockError(f"recipe '{name}' was never locked", hint=f"run `ohr lock {name}`")
        lock = read_lock(stored.content, file=stored.file)
        if fresh:
            ancestors: Sequence[LockedLevel] = [known[parent] for parent in composed.lineage[:-1]]
            check_fresh(
                lock, inputs=self.inputs(composed), parents=ancestors, rules=current_rules(), file=stored.file
            )
        return LockedLevel(composed, lock, digest_of_lock(stored.content))
