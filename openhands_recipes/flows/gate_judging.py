"""Recipes of history, understood: composed, with their locks, and with what is wrong with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from openhands_recipes.compile.oci.rules import current_rules
from openhands_recipes.compile.pin import (
    LockedLevel,
    check_fresh,
    digest_of_lock,
    read_lock,
    write_lock,
)
from openhands_recipes.compile.recipe.faults import Fault
from openhands_recipes.compile.recipe.packages import package_faults
from openhands_recipes.errors import (
    DownloadError,
    InvalidRecipeError,
    RecipesError,
    ResolutionError,
    StaleLockError,
)
from openhands_recipes.flows.chain import Library
from openhands_recipes.flows.gate_store import SETTINGS, TABLE, CommitStore
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.gate import Finding
from openhands_recipes.model.lock import Lock
from openhands_recipes.model.recipe import Recipe
from openhands_recipes.publish.gate.case import CHANGELOG, FLAKE, LockFacts, Side
from openhands_recipes.publish.gate.rules import Code, finding

V = TypeVar("V")
UNREADABLE = "OHR070"


class Shared(dict[str, V]):
    """What is known of recipes: of touched ones here, of all others in a table that is shared."""

    def __init__(self, common: dict[str, V], touched: Collection[str]) -> None:
        super().__init__()
        self.common, self.touched = common, touched

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) if name in self.touched else name in self.common

    def __getitem__(self, name: str) -> V:
        return super().__getitem__(name) if name in self.touched else self.common[name]

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - dict's signature
        """As a dict does."""
        return self[name] if name in self else default  # noqa: SIM401 - this is `get`

    def pop(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as `get`
        """As a dict does."""
        return super().pop(name, default) if name in self.touched else self.common.pop(name, default)

    def __setitem__(self, name: str, value: V) -> None:
        if name in self.touched:
            super().__setitem__(name, value)
        else:
            self.common[name] = value


@dataclass
class Shelf:
    """One state of the registry: its texts, and what they mean, once each."""

    store: CommitStore
    library: Library
    locks: dict[str, Lock] = field(default_factory=dict)

    @classmethod
    def of(cls, store: CommitStore) -> Shelf:
        """A shelf over a store."""
        return cls(store, Library.of(store))

    def with_changes(self, store: CommitStore, changed: Collection[str]) -> Shelf:
        """The shelf of a merged store; recipes that no change touches are understood here, once for both."""
        if {SETTINGS, TABLE} & set(changed):
            return Shelf.of(store)
        touched = frozenset(path.split("/")[1] for path in changed if path.startswith("recipes/"))
        library = Library(
            store, self.library.settings, self.library.table, Shared(self.library.parsed, touched)
        )
        return Shelf(store, library, Shared(self.locks, touched))

    def recipe(self, name: str) -> Recipe | None:
        """A recipe as written, if it can be understood by itself."""
        self.composed(name)
        parsed = self.library.parsed.get(name)
        return parsed.recipe if parsed else None

    def composed(self, name: str) -> Composed | None:
        """A recipe with everything it extends, or None when that cannot be."""
        try:
            return self.library.composed(name)
        except RecipesError:
            return None

    def faults(self, name: str) -> tuple[Finding, ...]:
        """What is wrong with a recipe; all of it, when anything is."""
        _, found = self.outcome(name)
        if not found or found[0].code in {UNREADABLE, Code.NOT_ASKED}:
            return found
        from openhands_recipes.flows.check import check  # noqa: PLC0415 - a good recipe does not need it

        try:
            return tuple(as_finding(fault) for fault in check(self.store, [name]).faults) or found
        except DownloadError:
            return found

    def outcome(self, name: str) -> tuple[Composed | None, tuple[Finding, ...]]:
        """A recipe with everything it extends, and what is wrong: the first things, if it is broken."""
        try:
            composed = self.library.composed(name)
            found = self._package_faults(composed)
        except (InvalidRecipeError, ResolutionError) as error:
            faults = tuple(as_finding(fault) for fault in error.faults if isinstance(fault, Fault))
            return None, faults or (_unreadable(error),)
        except DownloadError as error:
            return None, (_not_asked(name, error),)
        return composed, tuple(as_finding(fault) for fault in found)

    def forget(self, name: str) -> None:
        """Let go of a recipe that nothing else needs: there may be a hundred thousand."""
        self.library.parsed.pop(name, None)
        self.store.forget(name)

    def _package_faults(self, composed: Composed) -> list[Fault]:
        """What is wrong with a recipe's packages: in Debian, or in nixpkgs where it says so."""
        if "debian" not in composed.unavailable:
            return package_faults(composed.packages, self.library.table)
        from openhands_recipes.compile.nix.languages import parse_language_names  # noqa: PLC0415 - few need it
        from openhands_recipes.compile.nix.sources import source_faults  # noqa: PLC0415
        from openhands_recipes.model.flake import LanguageNames  # noqa: PLC0415

        stored = self.store.nixlib().get("languages.toml")
        names = LanguageNames(python={}, npm={})
        if stored is not None:
            names = parse_language_names(stored.content, file=stored.file)
        return source_faults(composed, self.library.table, names)

    def lock(self, name: str) -> Lock | None:
        """A recipe's lock, understood once; None where there is none.

        Raises:
            InvalidRecipeError: there is something else.
        """
        if name not in self.locks:
            stored = self.store.lock(name)
            if stored is None:
                return None
            self.locks[name] = read_lock(stored.content, file=stored.file)
        return self.locks[name]

    def side(self, name: str, *, with_lock: bool) -> Side:
        """Everything about a recipe that the rules look at."""
        composed = self.composed(name)
        changelog = self.store.file(f"recipes/{name}/{CHANGELOG}") or b""
        return Side(
            recipe=self.recipe(name),
            composed=composed,
            lock=self.lock_facts(name, composed) if with_lock else self.plain_lock(name),
            changelog=changelog.decode("utf-8", "replace"),
            has_closure=self.store.closure(name) is not None,
            stale_flake=with_lock and self.stale_flake(name),
        )

    def stale_flake(self, name: str) -> bool:
        """Whether a committed flake.json is not what the recipe compiles to."""
        committed = self.store.file(f"recipes/{name}/{FLAKE}")
        if committed is None:
            return False
        from openhands_recipes.flows.flake import compile_flake  # noqa: PLC0415 - few recipes have one

        try:
            return compile_flake(self.library, name).files["recipe.json"] != committed
        except RecipesError:
            return False  # a fault of the recipe, told as such

    def plain_lock(self, name: str) -> LockFacts:
        """The lock alone, not compared with anything."""
        try:
            return LockFacts(lock=self.lock(name))
        except InvalidRecipeError as error:
            return LockFacts(problem=error.message)

    def lock_facts(self, name: str, composed: Composed | None) -> LockFacts:
        """The lock, whether it is as written, fresh, and what it builds on."""
        facts = self.plain_lock(name)
        stored = self.store.lock(name)
        if facts.lock is None or stored is None:
            return facts
        as_written = write_lock(facts.lock) == stored.content
        stale, hint = self._staleness(facts.lock, composed, stored.file) if composed else ("", None)
        return LockFacts(
            lock=facts.lock,
            as_written=as_written,
            stale=stale,
            stale_hint=hint,
            parents=self._parents(composed) if composed else {},
        )

    def _parents(self, composed: Composed) -> Mapping[str, Lock]:
        found = {}
        for parent in composed.lineage[:-1]:
            lock = self.lock_within(composed.name, parent)
            if lock is not None:
                found[parent] = lock
        return found

    def _staleness(self, lock: Lock, composed: Composed, file: str) -> tuple[str, str | None]:
        """Why a lock does not belong to its recipe and parents any more."""
        try:
            parents = [self._level(parent, composed.name) for parent in composed.lineage[:-1]]
            check_fresh(
                lock, inputs=self.library.inputs(composed), parents=parents, rules=current_rules(), file=file
            )
            self._check_pins(composed, file)
        except StaleLockError as error:
            return error.message, error.hint
        except RecipesError:
            return "", None  # a fault of the recipe, told as such
        return "", None

    def lock_within(self, name: str, member: str) -> Lock | None:
        """The lock of a member of a recipe's lineage; one of another registry comes with its lock."""
        if "/" not in member:
            return self.plain_lock(member).lock
        return self.library.foreign(name)[member].lock

    def _check_pins(self, composed: Composed, file: str) -> None:
        stored, foreign = self.store.lock(composed.name), self.library.foreign(composed.name)
        if foreign and stored is not None:
            from openhands_recipes.flows.foreign import check_pins  # noqa: PLC0415 - rare

            check_pins(stored.content, composed.lineage, foreign, file=file)

    def _level(self, name: str, within: str) -> LockedLevel:
        if "/" in name:
            return self.library.locked(name, {}, within=within)
        stored, lock = self.store.lock(name), self.lock(name)
        if stored is None or lock is None:
            raise StaleLockError(f"recipe '{name}' was never locked", hint=f"run `ohr lock {name}`")
        composed = self.composed(name)
        if composed is None:
            raise ResolutionError(f"'{name}' does not compose")
        return LockedLevel(composed, lock, digest_of_lock(stored.content))


def as_finding(fault: Fault) -> Finding:
    """A fault of `ohr check` among the gate's findings."""
    return Finding(
        code=str(fault.code),
        severity="error",
        message=fault.message,
        file=fault.file,
        line=fault.line,
        column=fault.column,
        hint=fault.hint,
    )


def _not_asked(name: str, error: RecipesError) -> Finding:
    """A recipe that builds on another registry, which nobody could ask."""
    message = f"'{name}' was not judged: another registry could not be asked: {error.message}"
    return finding(Code.NOT_ASKED, message, f"recipes/{name}/recipe.yaml", hint="judge again later")


def _unreadable(error: RecipesError) -> Finding:
    """A recipe that could not even be read."""
    return Finding(
        code=UNREADABLE, severity="error", message=error.message, file=error.where or "", hint=error.hint
    )
