"""A recipe's whole lineage, composed and with its locks: what every later verb starts from."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
from openhands_recipes.compile.recipe.foreign import bases_here, local_lineage
from openhands_recipes.compile.recipe.packages import parse_package_table, refusals, resolve_packages
from openhands_recipes.compile.recipe.parse import ParsedRecipe, parse
from openhands_recipes.compile.recipe.settings import parse_settings
from openhands_recipes.errors import ResolutionError, StaleLockError, UsageError
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.package import PackageTable, ResolvedPackage
from openhands_recipes.model.platform import Platform
from openhands_recipes.model.settings import Settings
from openhands_recipes.ports import RecipeStore

if TYPE_CHECKING:
    from openhands_recipes.flows.foreign import Choosing, ForeignLevels


@dataclass(frozen=True)
class Library:
    """Recipes as text become values here, once each, only those that are needed."""

    store: RecipeStore
    settings: Settings
    table: PackageTable
    parsed: dict[str, ParsedRecipe]
    choosing: Choosing | None = None
    """How releases of other registries are chosen; by what locks pin, if not said."""
    _foreign: dict[str, ForeignLevels] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, store: RecipeStore, choosing: Choosing | None = None) -> Library:
        """A library over a store."""
        settings, packages = store.settings(), store.package_table()
        return cls(
            store,
            parse_settings(settings.content, file=settings.file),
            parse_package_table(packages.content, file=packages.file),
            {},
            choosing,
        )

    def composed(self, name: str, *, within: str = "") -> Composed:
        """A recipe with everything it extends.

        As a member of the lineage of `within`, if that is said: one release of each module of other
        registries serves a whole lineage.

        Raises:
            InvalidRecipeError: it or one of its modules is faulty.
            ResolutionError: they do not fit together.
        """
        foreign = self.foreign(within or name)
        if not foreign:
            return compose(name, self.parsed)
        known = {member: level.parsed for member, level in foreign.items()}
        return compose(name, ChainMap(known, self.parsed))

    def foreign(self, name: str) -> ForeignLevels:
        """What of a recipe's lineage belongs to other registries.

        Raises:
            ResolutionError, VerificationError, DownloadError: as `foreign_levels` does.
        """
        if name not in self._foreign:
            self._load(name)
            levels: ForeignLevels = {}
            ours = local_lineage(name, self.parsed)
            if any("/" in base for member in ours for base in self.parsed[member].recipe.extends):
                from openhands_recipes.flows.foreign import Choosing, foreign_levels  # noqa: PLC0415 - rare

                levels = foreign_levels(self.store, name, self.parsed, self.choosing or Choosing())
            self._foreign[name] = levels
        return self._foreign[name]

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
            waiting += bases_here(recipe)

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
            levels[member] = self.locked(member, levels, fresh=fresh, within=name)
        return tuple(levels.values())

    def locked(
        self, name: str, known: Mapping[str, LockedLevel], *, fresh: bool = True, within: str = ""
    ) -> LockedLevel:
        """One level with its lock; `known` holds its ancestors.

        A level of another registry comes with its lock, which its digest pins and nothing can outdate.
        """
        composed = self.composed(name, within=within)
        if "/" in name:
            level = self.foreign(within)[name]
            return LockedLevel(composed, level.lock, level.digest, level.pin)
        stored = self.store.lock(name)
        if stored is None:
            raise StaleLockError(f"recipe '{name}' was never locked", hint=f"run `ohr lock {name}`")
        lock = read_lock(stored.content, file=stored.file)
        if fresh:
            ancestors: Sequence[LockedLevel] = [known[parent] for parent in composed.lineage[:-1]]
            check_fresh(
                lock, inputs=self.inputs(composed), parents=ancestors, rules=current_rules(), file=stored.file
            )
            if foreign := self.foreign(within or name):
                from openhands_recipes.flows.foreign import check_pins  # noqa: PLC0415 - rare

                check_pins(stored.content, composed.lineage, foreign, file=stored.file)
        return LockedLevel(composed, lock, digest_of_lock(stored.content))
