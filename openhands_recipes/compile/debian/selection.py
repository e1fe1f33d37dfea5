"""What is chosen so far, and what that excludes.

Knows the rules of living together: a Conflicts or Breaks holds in both directions, reaches through
Provides, and never hits the package that declares it (debian-policy 7.4, 7.6).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from openhands_recipes.compile.debian.packages import Package
from openhands_recipes.compile.debian.relations import Alternatives, Relation


@dataclass(frozen=True, slots=True)
class Pick:
    """Why a package was chosen: to meet one group of another package's; roots have nobody behind them."""

    package: str
    by: str | None = None
    group: Alternatives = ()


@dataclass(frozen=True, slots=True)
class Clash:
    """One package declares that it cannot live with another."""

    declared_by: str
    verb: str
    relation: Relation
    other: str


class Selection:
    """The chosen packages in the order of their choice."""

    def __init__(self) -> None:
        self.packages: dict[str, Package] = {}
        self.picks: dict[str, Pick] = {}
        self.rank: dict[str, int] = {}
        self._providing: dict[str, list[Package]] = {}
        self._refusing: dict[str, list[tuple[Package, str, Relation]]] = {}

    def add(self, package: Package, pick: Pick) -> None:
        """Choose a package; the caller has made sure that nothing excludes it."""
        self.rank[package.name] = len(self.rank)
        self.packages[package.name] = package
        self.picks[package.name] = pick
        for provided in package.provides:
            self._providing.setdefault(provided.name, []).append(package)
        for verb, relation in _refusals(package):
            self._refusing.setdefault(relation.name, []).append((package, verb, relation))

    def meets(self, group: Alternatives) -> bool:
        """Whether a chosen package satisfies a group."""
        return any(True for relation in group for _ in self._matching(relation))

    def meeting(self, group: Alternatives) -> tuple[str, ...]:
        """The chosen packages that satisfy a group, in the order of its alternatives."""
        return tuple(package.name for relation in group for package in self._matching(relation))

    def clashes(self, package: Package) -> Iterator[tuple[str, Clash]]:
        """Chosen packages that exclude another one, each with the declaration that says so."""
        for verb, relation in _refusals(package):
            for chosen in self._matching(relation):
                if chosen.name != package.name:
                    yield chosen.name, Clash(package.name, verb, relation, chosen.name)
        for name in dict.fromkeys((package.name, *(provided.name for provided in package.provides))):
            for chosen, verb, relation in self._refusing.get(name, ()):
                if chosen.name != package.name and package.satisfies(relation):
                    yield chosen.name, Clash(chosen.name, verb, relation, package.name)

    def chain(self, name: str) -> tuple[Pick, ...]:
        """From the root that is behind a chosen package down to the package itself."""
        links = [self.picks[name]]
        while (by := links[-1].by) is not None:
            links.append(self.picks[by])
        return tuple(reversed(links))

    def _matching(self, relation: Relation) -> Iterator[Package]:
        real = self.packages.get(relation.name)
        if real and real.satisfies(relation):
            yield real
        for package in self._providing.get(relation.name, ()):
            if package is not real and package.satisfies(relation):
                yield package


def _refusals(package: Package) -> Iterator[tuple[str, Relation]]:
    for relation in package.conflicts:
        yield "conflicts with", relation
    for relation in package.breaks:
        yield "breaks", relation
