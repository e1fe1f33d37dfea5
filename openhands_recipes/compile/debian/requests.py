"""What recipes ask of Debian, and which packages that means."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from openhands_recipes.compile.debian.candidates import Candidates
from openhands_recipes.compile.debian.packages import Package, Universe
from openhands_recipes.compile.debian.relations import Alternatives, Relation, parse_flat


@dataclass(frozen=True, slots=True, order=True)
class Request:
    """A recipe's wish for a Debian package."""

    name: str
    recipe: str
    """Who asks."""
    where: str = ""
    """`file:line` of the wish."""
    constraint: str = ""
    """Versions that will do, in Debian's words: ">= 13", ">= 13, << 15"."""

    def relations(self) -> tuple[Relation, ...]:
        """The wish as relations that all must hold.

        Raises:
            ResolutionError: the constraint is malformed.
        """
        pieces = [piece.strip() for piece in self.constraint.split(",") if piece.strip()]
        return parse_flat(", ".join(f"{self.name} ({piece})" for piece in pieces) or self.name)


@dataclass(frozen=True, slots=True)
class Fault:
    """A wish that cannot be granted, whatever else is installed."""

    request: Request
    message: str
    hint: str | None = None


def meant_by(request: Request, candidates: Candidates) -> Package | Fault:
    """The package a wish means: the one of that name, or the only one that provides it.

    Raises:
        ResolutionError: the constraint is malformed.
    """
    relations = request.relations()
    real = candidates.get(request.name)
    if real:
        unmet = next((relation for relation in relations if not real.satisfies(relation)), None)
        return real if unmet is None else Fault(request, *_wrong_version(unmet, candidates))
    providers = [
        package
        for package in candidates.providers(request.name)
        if all(package.satisfies(relation) for relation in relations)
    ]
    fixed = [package for package in providers if package.name in candidates.fixed]
    match fixed or providers:
        case [only]:
            return only
        case [first, *_] if fixed:
            return first
        case []:
            return Fault(request, *_unknown(request, candidates))
    names = ", ".join(package.name for package in providers)
    return Fault(request, f"package '{request.name}' is virtual", f"ask for one of: {names}")


def _wrong_version(relation: Relation, candidates: Candidates) -> tuple[str, str | None]:
    return f"wants {relation}, but {lack(relation, candidates)}", remedy((relation,), candidates)


def _unknown(request: Request, candidates: Candidates) -> tuple[str, str | None]:
    universe = candidates.universe
    near = nearest(request.name, universe)
    hint = f"did you mean {' or '.join(repr(name) for name in near)}?" if near else None
    return f"unknown package '{request.name}': {_nobody_has(universe)} it", hint


def nearest(name: str, universe: Universe) -> list[str]:
    """Up to three real names that are easily mistaken for this one."""
    similar = [each for each in universe.names() if each[:1] == name[:1] and abs(len(each) - len(name)) < 4]
    return get_close_matches(name, sorted(similar), n=3, cutoff=0.75)


def lack(relation: Relation, candidates: Candidates) -> str:
    """Why no package satisfies a relation: what there is instead."""
    real = candidates.get(relation.name)
    if real and relation.name in candidates.parents:
        return f"parent '{candidates.parents[relation.name]}' fixes {real.name} {real.version}"
    if real and relation.accepts(real.version):
        return f"{real.name} {real.version} of {real.suite} is not for other architectures (Multi-Arch)"
    if real:
        return f"{real.suite} has {real.name} {real.version}"
    providers = candidates.providers(relation.name)
    if providers:
        names = ", ".join(package.name for package in providers)
        return f"{relation.name} is only provided, in no such version, by {names}"
    return f"{_nobody_has(candidates.universe)} {relation.name}"


def remedy(group: Alternatives, candidates: Candidates) -> str | None:
    """What helps where a parent's fixed version is too old: locking that parent anew."""
    for relation in group:
        current = candidates.universe.candidate(relation.name)
        if current and current.satisfies(relation) and relation.name in candidates.parents:
            parent = candidates.parents[relation.name]
            return f"`ohr lock --update {parent}` gives '{parent}' {current.name} {current.version}"
    return None


def _nobody_has(universe: Universe) -> str:
    match universe.suites:
        case []:
            return "there is no suite that has"
        case [only]:
            return f"{only} does not have"
        case _:
            return f"none of {', '.join(universe.suites)} has"
