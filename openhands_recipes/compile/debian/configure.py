"""In which order unpacked packages are configured, as steps a sandbox can take one by one.

Debian policy 6.5/6.6 and 7.2: `preinst install` before anything of a package is relied on, its
Pre-Depends configured before that, dependencies configured before dependants. dpkg itself orders the rest.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from openhands_recipes.compile.debian.database import Package


@dataclass(frozen=True)
class RunPreinst:
    """Run a package's `preinst install`."""

    package: str
    qualified: str
    architecture: str


@dataclass(frozen=True)
class Configure:
    """`dpkg --configure` these packages, by qualified name."""

    packages: tuple[str, ...]


@dataclass(frozen=True)
class ConfigureAll:
    """`dpkg --configure --pending`, then whatever triggers it left."""


@dataclass(frozen=True)
class Unpack:
    """`dpkg --unpack` real archives: packages that divert, override or own files by dynamic accounts."""

    packages: tuple[str, ...]


Step = RunPreinst | Configure | ConfigureAll | Unpack

_RELATION = re.compile(r"^\s*([a-z0-9][a-z0-9+.-]*)")


def _names(field: str) -> Iterator[tuple[str, ...]]:
    """The alternatives of each relation in a dependency field, names only."""
    for relation in field.split(","):
        found = [m.group(1) for part in relation.split("|") if (m := _RELATION.match(part))]
        if found:
            yield tuple(found)


class Order:
    """Who needs whom among packages unpacked together. Deterministic: names decide ties."""

    def __init__(self, packages: Iterable[Package]) -> None:
        self._packages = {p.name: p for p in sorted(packages, key=lambda p: p.name)}
        self._providers: dict[str, list[str]] = {}
        for package in self._packages.values():
            for provided, *_ in _names(package.fields.get("provides", "")):
                self._providers.setdefault(provided, []).append(package.name)

    def _needs(self, name: str, *fields: str) -> tuple[str, ...]:
        found: list[str] = []
        for field in fields:
            for alternatives in _names(self._packages[name].fields.get(field, "")):
                for alternative in alternatives:
                    candidates = (
                        [alternative]
                        if alternative in self._packages
                        else self._providers.get(alternative, [])
                    )
                    if candidates:
                        found.append(candidates[0])
                        break
        return tuple(found)

    def closure(self, names: Iterable[str]) -> tuple[str, ...]:
        """The packages and all they depend on, dependencies first, cycles cut by name."""
        done: dict[str, None] = {}
        entered: set[str] = set()
        stack: list[tuple[str, Iterator[str]]] = []

        def enter(name: str) -> None:
            if name not in entered:
                entered.add(name)
                stack.append((name, iter(self._needs(name, "pre-depends", "depends"))))

        for name in names:
            enter(name)
            while stack:
                current, needs = stack[-1]
                following = next(needs, None)
                if following is None:
                    done[current] = None
                    stack.pop()
                else:
                    enter(following)
        return tuple(done)

    def pre_depends(self, name: str) -> tuple[str, ...]:
        """What must be configured before the package's preinst may run."""
        return self._needs(name, "pre-depends")

    def steps(self, *, real_unpack: Collection[str] = ()) -> tuple[Step, ...]:
        """The whole configuration of packages unpacked together, those of `real_unpack` by dpkg itself.

        Essential packages come first, configured: scripts of all others may rely on them (policy 3.8).
        """
        plan = _Plan(self._packages, self, frozenset(real_unpack))
        essential = [p.name for p in self._packages.values() if p.essential]
        base = self.closure(essential)
        for name in (*(n for n in essential if not self.pre_depends(n)), *base):
            plan.unpack(name)
        plan.configure(base)
        for name in self.closure(self._packages):
            plan.unpack(name)
        return (*plan.steps, ConfigureAll())


class _Plan:
    def __init__(self, packages: Mapping[str, Package], order: Order, real: frozenset[str]) -> None:
        self._packages = packages
        self._order = order
        self._real = real
        self._configured: set[str] = set()
        self._begun: set[str] = set()
        self.steps: list[Step] = []

    def unpack(self, name: str) -> None:
        """What unpacking does beyond laying down files; the package's Pre-Depends are configured before."""
        if name in self._begun or not (name in self._real or self._has_preinst(name)):
            return
        self._begun.add(name)
        needed = [n for n in self._order.closure(self._order.pre_depends(name)) if n != name]
        for other in needed:
            self.unpack(other)
        self.configure(needed)
        package = self._packages[name]
        last = self.steps[-1] if self.steps else None
        if name not in self._real:
            self.steps.append(RunPreinst(name, package.qualified, package.architecture))
        elif isinstance(last, Unpack):
            self.steps[-1] = Unpack((*last.packages, name))
        else:
            self.steps.append(Unpack((name,)))

    def configure(self, names: Iterable[str]) -> None:
        """Configure those that are not configured yet."""
        still = [n for n in names if n not in self._configured]
        if still:
            self.steps.append(Configure(tuple(self._packages[n].qualified for n in still)))
            self._configured.update(still)

    def _has_preinst(self, name: str) -> bool:
        return "preinst" in self._packages[name].fragment.control
