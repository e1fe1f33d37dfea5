"""The search: apt's own walk, repeated with what was learnt until it runs through.

One attempt is what apt does for a new installation: all wanted packages first, then depth-first through
their groups, each unmet group by its preferred package. Where the walk ends before a group that nothing
can meet any more, the set of chosen packages that made it impossible is learnt, traced back to the last
choice that had an alternative, and the walk starts anew with that knowledge. Every attempt learns a set no
earlier one knew, so the search ends; it finds a solution whenever one exists among the candidates.

Written here instead of resting on resolvelib or a SAT library: theirs is to pick among many versions of
one name, or any model at all. Debian has one candidate per name, alternatives and virtual packages in
between, and the answer people expect is the very one apt's order of preference gives; the walk is that
order, and the learnt sets double as the explanation when there is no solution.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from openhands_recipes.compile.debian.candidates import Candidates
from openhands_recipes.compile.debian.packages import Package
from openhands_recipes.compile.debian.relations import Alternatives
from openhands_recipes.compile.debian.selection import Clash, Pick, Selection


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Why a package cannot be chosen: together with `others`, all chosen, there is no solution."""

    others: frozenset[str]
    cause: Clash | DeadEnd
    chain: tuple[Pick, ...] = ()
    """How the other side of a clash came to be chosen."""


@dataclass(frozen=True, slots=True)
class DeadEnd:
    """A package has a group that nothing can meet; `options` are the packages that would, if they could."""

    package: str
    group: Alternatives
    options: tuple[tuple[str, Exclusion], ...]
    chain: tuple[Pick, ...]
    """How the package came to be chosen."""


class UnsolvableError(Exception):
    """Roots and fixed packages exclude one another; `explain` makes words of it."""

    def __init__(self, root: str, exclusion: Exclusion) -> None:
        super().__init__(root)
        self.root = root
        self.exclusion = exclusion


class _Restart(Exception):  # noqa: N818 - a jump, not an error
    """Something was learnt; walk again."""


class Search:
    """One question to the candidates."""

    def __init__(self, candidates: Candidates, roots: Iterable[Package]) -> None:
        self._candidates = candidates
        self._roots = {root.name: root for root in sorted(roots, key=lambda root: root.name)}
        self._settled = frozenset(candidates.fixed) | frozenset(self._roots)
        self._learnt: dict[str, list[tuple[frozenset[str], DeadEnd]]] = {}

    def run(self) -> Selection:
        """The packages to have, the fixed ones included.

        Raises:
            UnsolvableError: there is no solution.
        """
        while True:
            try:
                return self._attempt()
            except _Restart:
                continue

    def _attempt(self) -> Selection:
        selection = Selection()
        for name in sorted(self._candidates.fixed):
            selection.add(self._candidates.fixed[name], Pick(name))
        free = [root for root in self._roots.values() if root.name not in selection.packages]
        for root in free:
            if exclusion := self._exclusion(selection, root):
                raise UnsolvableError(root.name, exclusion)
            selection.add(root, Pick(root.name))
        for root in free:
            self._walk(selection, root)
        return selection

    def _walk(self, selection: Selection, root: Package) -> None:
        stack = [(root, _groups(root))]
        while stack:
            package, groups = stack[-1]
            group = next(groups, None)
            if group is None:
                stack.pop()
            elif not selection.meets(group):
                chosen = self._choose(selection, package, group)
                stack.append((chosen, _groups(chosen)))

    def _choose(self, selection: Selection, package: Package, group: Alternatives) -> Package:
        rejected: list[tuple[str, Exclusion]] = []
        for option in self._candidates.options(group):
            exclusion = self._exclusion(selection, option)
            if exclusion is None:
                selection.add(option, Pick(option.name, package.name, group))
                return option
            rejected.append((option.name, exclusion))
        chain = selection.chain(package.name)
        self._learn(selection, DeadEnd(package.name, group, tuple(rejected), chain))
        raise _Restart

    def _exclusion(
        self, selection: Selection, package: Package, *, before: int | None = None
    ) -> Exclusion | None:
        """Why a package cannot join those of lower rank than `before`; the earliest reason of several."""
        rank = selection.rank
        limit = len(rank) if before is None else before
        found = [
            Exclusion(frozenset({name}), clash, selection.chain(name))
            for name, clash in selection.clashes(package)
            if rank[name] < limit
        ]
        for members, dead_end in self._learnt.get(package.name, ()):
            others = members - {package.name}
            if all(rank.get(name, limit) < limit for name in others):
                found.append(Exclusion(others, dead_end))
        return min(
            found, key=lambda each: max((rank[name] for name in each.others), default=-1), default=None
        )

    def _learn(self, selection: Selection, dead_end: DeadEnd) -> None:
        """Remember what led into a dead end, and what that excludes in turn, up to the last open choice.

        Raises:
            UnsolvableError: there was no open choice.
        """
        while True:
            members = frozenset({dead_end.package}).union(*(each.others for _, each in dead_end.options))
            for name in members:
                self._learnt.setdefault(name, []).append((members, dead_end))
            chosen = members - self._settled
            if not chosen:
                root = dead_end.package
                raise UnsolvableError(root, Exclusion(members - {root}, dead_end))
            latest = max(chosen, key=selection.rank.__getitem__)
            earlier = self._dead_end_without(selection, latest, Exclusion(members - {latest}, dead_end))
            if earlier is None:
                return
            dead_end = earlier

    def _dead_end_without(self, selection: Selection, name: str, exclusion: Exclusion) -> DeadEnd | None:
        """The dead end left where an excluded package was chosen; None where another one will do."""
        pick = selection.picks[name]
        if pick.by is None:
            raise AssertionError(f"{name} was chosen for nobody")
        rejected: list[tuple[str, Exclusion]] = []
        for option in self._candidates.options(pick.group):
            why = (
                exclusion
                if option.name == name
                else self._exclusion(selection, option, before=selection.rank[name])
            )
            if why is None:
                return None
            rejected.append((option.name, why))
        return DeadEnd(pick.by, pick.group, tuple(rejected), selection.chain(pick.by))


def _groups(package: Package) -> Iterator[Alternatives]:
    yield from package.pre_depends
    yield from package.depends
