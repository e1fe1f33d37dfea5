"""What may stand for a relation: the fixed packages of the parents first, else each name's candidate.

Order of preference is apt's for a new installation: the package of that very name, then providers that
are essential, important, of higher priority, and last the one whose name apt meets last (`mentions`).

Nothing is searched here; `search` decides which of the possible packages to take.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

from openhands_recipes.compile.debian.mentions import Mention, first_mention
from openhands_recipes.compile.debian.packages import Package, Universe
from openhands_recipes.compile.debian.relations import Alternatives, Relation

Preference = tuple[bool, bool, bool, int]


@dataclass(frozen=True, slots=True)
class InstalledPackage:
    """A package that a parent level has fixed: it is never removed, upgraded or changed."""

    name: str
    version: str
    architecture: str
    parent: str
    """The recipe whose lock holds it."""


class Candidates:
    """The packages one solve may choose from: at most one version of each name."""

    def __init__(self, universe: Universe, installed: Sequence[InstalledPackage]) -> None:
        self.universe = universe
        self.parents = {package.name: package.parent for package in installed}
        self.fixed = {package.name: _stand_in(universe, package) for package in installed}
        self.gone = {
            package.name for package in installed if not universe.find(package.name, package.version)
        }
        """Fixed packages whose version has left the mirror."""
        self._matching: dict[Relation, tuple[Package, ...]] = {}
        self._mentions: dict[str, Mention] = {}
        fixed_providers: dict[str, set[str]] = {}
        for package in self.fixed.values():
            for provided in package.provides:
                fixed_providers.setdefault(provided.name, set()).add(package.name)
        self._fixed_providers = fixed_providers

    def get(self, name: str) -> Package | None:
        """The only version of a package that can be had."""
        return self.fixed.get(name) or self.universe.candidate(name)

    def providers(self, name: str) -> tuple[Package, ...]:
        """Packages of other names that provide this one, sorted by name."""
        free = {package.name: package for package in self.universe.providers(name)}
        fixed = {owner: self.fixed[owner] for owner in self._fixed_providers.get(name, ())}
        found = {owner: package for owner, package in free.items() if owner not in self.fixed} | fixed
        return tuple(found[owner] for owner in sorted(found))

    def matching(self, relation: Relation) -> tuple[Package, ...]:
        """Every package that satisfies a relation, sorted by preference as far as ranks tell."""
        known = self._matching.get(relation)
        if known is None:
            real = self.get(relation.name)
            possible = ((real,) if real else ()) + self.providers(relation.name)
            fitting = (package for package in possible if package.satisfies(relation))
            known = tuple(sorted(fitting, key=partial(_preference, relation=relation)))
            self._matching[relation] = known
        return known

    def options(self, group: Alternatives) -> Iterator[Package]:
        """Every package that satisfies a group, the preferred first, none twice.

        Lazy, because telling equals apart means looking for their names in the lists.
        """
        seen: set[str] = set()
        for relation in group:
            rank = partial(_preference, relation=relation)
            for _, equals in groupby(self.matching(relation), rank):
                for package in self._latest_first(tuple(equals)):
                    if package.name not in seen:
                        seen.add(package.name)
                        yield package

    def _latest_first(self, equals: tuple[Package, ...]) -> Sequence[Package]:
        if len(equals) == 1:
            return equals
        for package in equals:
            if package.name not in self._mentions:
                self._mentions[package.name] = first_mention(self.universe.lists, package.name)
        return sorted(equals, key=lambda package: self._mentions[package.name], reverse=True)


def _preference(package: Package, relation: Relation) -> Preference:
    is_target = package.name == relation.name and not relation.qualifier
    return (not is_target, not package.essential, not package.important, package.priority)


def _stand_in(universe: Universe, installed: InstalledPackage) -> Package:
    """The fixed package as its list describes it, or what can be said once its version has left the mirror.

    Then its own needs are taken as met (they were, in the parent), and what it provides and refuses is
    read off the current version; what that provides in its own version, the fixed one has in its own.
    """
    found = universe.find(installed.name, installed.version)
    if found:
        return found
    current = universe.candidate(installed.name)
    if not current:
        return Package(installed.name, installed.version, installed.architecture, universe.architecture)
    provides = tuple(
        replace(provided, version=installed.version) if provided.version == current.version else provided
        for provided in current.provides
    )
    return replace(
        current,
        version=installed.version,
        architecture=installed.architecture,
        pre_depends=(),
        depends=(),
        provides=provides,
    )
