"""Whether the lock beside a recipe still belongs to it: told from texts alone, without network."""

from __future__ import annotations

from openhands_recipes.compile.oci.rules import current_rules
from openhands_recipes.compile.pin import LockHead, digest_of_lock, inputs_of, lock_head, stale_reasons
from openhands_recipes.compile.recipe.faults import Code, Fault
from openhands_recipes.compile.recipe.packages import resolve_packages
from openhands_recipes.errors import ResolutionError
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.package import PackageTable
from openhands_recipes.model.settings import Settings
from openhands_recipes.ports import RecipeStore


class Freshness:
    """Judges locks against what the recipes say now; recipes that were never locked are fine."""

    def __init__(self, store: RecipeStore, settings: Settings, table: PackageTable) -> None:
        self._store = store
        self._settings = settings
        self._table = table
        self._digests: dict[str, Digest | None] = {}

    def faults(self, composed: Composed) -> list[Fault]:
        """A warning when the lock is stale, and why."""
        stored = self._store.lock(composed.name)
        if stored is None:
            return []
        head = lock_head(stored.content)
        if head is None:
            reasons = ["it is no lock this version knows"]
        else:
            try:
                packages = resolve_packages(composed.packages, self._table)
            except ResolutionError:
                return []  # reported as such, or a recipe Debian cannot have
            inputs = inputs_of(
                composed,
                packages,
                platforms=composed.platforms or self._settings.platforms,
                suites=self._settings.pins.debian.suites,
            )
            reasons = stale_reasons(
                head, inputs=inputs, parents=self._parents(composed, head), rules=current_rules()
            )
        if not reasons:
            return []
        message = f"the lock of '{composed.name}' is stale: {'; '.join(reasons)}"
        return [Fault(Code.STALE_LOCK, message, stored.file, hint=f"run `ohr lock {composed.name}`")]

    def _parents(self, composed: Composed, head: LockHead) -> dict[str, str]:
        """The parents' locks as they are; levels of other registries are what the lock says they are."""
        return {
            name: (head.parents.get(name) if "/" in name else self._digest(name)) or "never locked"
            for name in composed.lineage[:-1]
        }

    def _digest(self, name: str) -> Digest | None:
        if name not in self._digests:
            stored = self._store.lock(name)
            self._digests[name] = digest_of_lock(stored.content) if stored is not None else None
        return self._digests[name]
