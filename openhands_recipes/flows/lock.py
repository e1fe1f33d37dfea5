"""`ohr lock`: pin everything a recipe needs, stale ancestors first.

A lock is written when all of it is known, in one step; a kill at any moment leaves the old one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from openhands_recipes.compile.debian.packages import index
from openhands_recipes.compile.debian.requests import Request
from openhands_recipes.compile.debian.solution import installed_by
from openhands_recipes.compile.debian.solve import solve
from openhands_recipes.compile.oci.rules import current_rules
from openhands_recipes.compile.pin import (
    LockChange,
    LockedLevel,
    changes,
    digest_of_lock,
    parents_of,
    read_lock,
    write_lock,
)
from openhands_recipes.errors import InvalidRecipeError, ResolutionError, StaleLockError
from openhands_recipes.flows.chain import Library
from openhands_recipes.flows.foreign import Choosing
from openhands_recipes.flows.lock_languages import lock_languages
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.digest import digest_of_json
from openhands_recipes.model.lock import Deb, DebianInputs, Lock, PlatformLock
from openhands_recipes.model.platform import DEBIAN_ARCHITECTURE, Platform
from openhands_recipes.ports import DebianState

__all__ = ["LockChange", "LockOptions", "LockReport", "lock"]


@dataclass(frozen=True)
class LockOptions:
    """What the command line decides."""

    update: bool = False
    platforms: tuple[Platform, ...] = ()
    allow_expired: bool = False


@dataclass(frozen=True)
class LockReport:
    """What happened to one recipe's lock."""

    name: str
    file: str
    changed: bool
    changes: tuple[LockChange, ...]
    reason: str
    skipped: tuple[tuple[Platform, str], ...] = ()
    """Platforms that could not be locked here, and why."""


def lock(shop: Workshop, names: Sequence[str], options: LockOptions) -> tuple[LockReport, ...]:
    """Lock recipes and, before them, every stale ancestor. One report per lock looked at.

    Raises:
        ResolutionError: packages do not fit together.
        VerificationError: the archive's signature or date is wrong.
        DownloadError: no mirror or index answers.
    """
    library = Library.of(shop.store, Choosing(locking=True))
    locker = _Locker(shop, library, options, frozenset(names))
    for name in names:
        locker.begin(name)
        for member in locker.library.composed(name).lineage:
            locker.visit(member)
    return tuple(locker.reports.values())


class _Locker:
    def __init__(self, shop: Workshop, library: Library, options: LockOptions, asked: frozenset[str]) -> None:
        self._shop = shop
        self.library = library
        self._whole = ""
        """Whose lineage is being locked."""
        self._options = options
        self._asked = asked
        self._levels: dict[str, LockedLevel] = {}
        self._states: dict[str, DebianState] = {}
        self.reports: dict[str, LockReport] = {}

    def begin(self, name: str) -> None:
        """Turn to another lineage; one that builds on other registries is looked at by itself.

        Two lineages may have different releases of one module of another registry.
        """
        update = self._options.update and name in self._asked
        if self.library.foreign(name) or self.library.foreign(self._whole or name):
            self._levels.clear()
            self.library = Library.of(self._shop.store, Choosing(locking=True, update=update))
        self._whole = name

    def visit(self, name: str) -> None:
        if name in self._levels:
            return
        if "/" in name:
            self._levels[name] = self.library.locked(name, self._levels, within=self._whole)
            return
        reason, old = self._reason(name), self._old(name)
        if reason is None:
            self._levels[name] = level = self.library.locked(name, self._levels, within=self._whole)
            if level.lock.version == level.composed.version:
                stored = self._shop.store.lock(name)
                self.reports[name] = LockReport(name, stored.file if stored else "", False, (), "up to date")
                return
            reason = f"the recipe is {level.composed.version} now"
            new = level.lock.model_copy(update={"version": level.composed.version})
        else:
            new = self._make(name, old)
        content = write_lock(new)
        stored = self._shop.store.lock(name)
        changed = stored is None or stored.content != content
        file = self._shop.store.write_lock(name, content) if changed else (stored.file if stored else "")
        self._levels[name] = LockedLevel(self._composed(name), new, digest_of_lock(content))
        self.reports[name] = LockReport(name, file, changed, changes(old, new), reason)

    def _reason(self, name: str) -> str | None:
        """Why a recipe must be locked, or None when its lock is good."""
        if name in self._asked and self._options.update:
            return "update asked for"
        try:
            level = self.library.locked(name, self._levels, within=self._whole)
        except (StaleLockError, InvalidRecipeError) as error:
            if isinstance(error, InvalidRecipeError) and error.faults:
                raise
            return error.message
        missing = set(self._platforms(level.composed)) - level.lock.platforms.keys()
        return f"not locked for {', '.join(sorted(missing))}" if missing else None

    def _old(self, name: str) -> Lock | None:
        stored = self._shop.store.lock(name)
        if stored is None:
            return None
        try:
            return read_lock(stored.content, file=stored.file)
        except InvalidRecipeError:
            return None

    def _platforms(self, composed: Composed) -> tuple[Platform, ...]:
        return self._options.platforms or self.library.platforms(composed)

    def _composed(self, name: str) -> Composed:
        return self.library.composed(name, within=self._whole)

    def _make(self, name: str, old: Lock | None) -> Lock:
        composed = self._composed(name)
        ancestors = [self._levels[parent] for parent in composed.lineage[:-1]]
        platforms = self._platforms(composed)
        suites = self.library.settings.pins.debian.suites
        state = self._state(suites, platforms, old)
        with self._shop.progress.stage(f"solve {name}"):
            debs = {p: self._solve(composed, ancestors, state, p) for p in platforms}
        inputs = self.library.inputs(composed)
        lock = Lock(
            recipe=name,
            version=composed.version,
            recipe_digest=digest_of_json(inputs),
            inputs=inputs,
            parents=parents_of(ancestors),
            rules=current_rules(),
            debian=DebianInputs(suites=suites, release_date=state.release_date, release=state.release),
            platforms={p: PlatformLock(debs=debs[p]) for p in sorted(platforms)},
        )
        earlier = None if self._options.update else old
        return lock_languages(self._shop, composed, ancestors, lock, earlier=earlier)

    def _state(self, suites: Sequence[str], platforms: Sequence[Platform], old: Lock | None) -> DebianState:
        architectures = sorted(DEBIAN_ARCHITECTURE[p] for p in platforms)
        key = ",".join((*suites, *architectures))
        if key not in self._states:
            with self._shop.progress.stage("package lists"):
                self._states[key] = self._shop.archive().state(
                    suites,
                    architectures,
                    not_before=old.debian.release_date if old else "",
                    allow_expired=self._options.allow_expired,
                )
        return self._states[key]

    def _solve(
        self, composed: Composed, ancestors: Sequence[LockedLevel], state: DebianState, platform: Platform
    ) -> tuple[Deb, ...]:
        architecture = DEBIAN_ARCHITECTURE[platform]
        universe = index([part for part in state.lists if part.architecture == architecture])
        installed = [
            package for parent in ancestors for package in installed_by(parent.name, _debs(parent, platform))
        ]
        _agree(ancestors, platform)
        solution = solve(universe, self._requests(composed), installed=installed, essential=not ancestors)
        return solution.debs()

    def _requests(self, composed: Composed) -> list[Request]:
        requests = []
        for requested, package in zip(composed.packages, self.library.packages(composed), strict=True):
            origin = requested.origins[0] if requested.origins else None
            requests += [
                Request(debian, origin.recipe if origin else composed.name, str(origin) if origin else "")
                for debian in package.debian
            ]
        return requests


def _debs(level: LockedLevel, platform: Platform) -> tuple[Deb, ...]:
    inputs = level.lock.platforms.get(platform)
    if inputs is None:
        raise ResolutionError(
            f"parent '{level.name}' is not locked for {platform}",
            hint=f"run `ohr lock --platform {platform} {level.name}`",
        )
    return inputs.debs


def _agree(ancestors: Sequence[LockedLevel], platform: Platform) -> None:
    """Parents locked at different times may have fixed different versions of one package."""
    seen: dict[str, tuple[str, str]] = {}
    for parent in ancestors:
        for deb in _debs(parent, platform):
            version, owner = seen.setdefault(deb.name, (deb.version, parent.name))
            if version != deb.version:
                raise ResolutionError(
                    f"parents '{owner}' and '{parent.name}' fix different versions of {deb.name}: "
                    f"{version} and {deb.version}",
                    hint=f"run `ohr lock --update {owner} {parent.name}`",
                )
