"""Packages of a composed recipe -> attributes of nixpkgs.

An interpreter that only applications want is left out with them: they are the image's, with a world of
their own.
"""

from __future__ import annotations

from dataclasses import dataclass

from openhands_recipes.compile.recipe.faults import Fault
from openhands_recipes.compile.recipe.packages import choose_packages, package_faults
from openhands_recipes.model.composed import Composed, RequestedPackage
from openhands_recipes.model.flake import FlakePackage, OmittedThing
from openhands_recipes.model.package import PackageTable

LANGUAGES = ("python", "node")
"""Registry names of the packages that language sections imply."""
_GIVE_WAY = frozenset({"clang"})
"""Packages that come after all others: of two that bring a file the first wins, and `cc` is to be GCC's."""


@dataclass(frozen=True)
class Attributes:
    """What the packages of a recipe come to in nixpkgs."""

    packages: tuple[FlakePackage, ...]
    interpreters: dict[str, str]
    """`python`, `node` -> attribute of the interpreter, as far as the recipe has such a section."""
    omitted: tuple[OmittedThing, ...]


def requests_of(composed: Composed) -> tuple[RequestedPackage, ...]:
    """What a flake needs of a recipe's packages: all but interpreters that only applications use."""
    requests: dict[tuple[str, str | None], RequestedPackage] = {}
    for request in composed.packages:
        name = request.name
        section = getattr(composed, name) if name in LANGUAGES else None
        if request.stream is None or (section is not None and section.version == request.stream):
            requests[name, request.stream] = request
        elif section is None and ("packages", name) in composed.origins:
            places = composed.origins["packages", name]
            requests[name, None] = RequestedPackage(name, request.constraints, None, places)
    return tuple(requests.values())


def attribute_faults(composed: Composed, table: PackageTable) -> list[Fault]:
    """What `attributes_of` would complain about."""
    return package_faults(requests_of(composed), table, "nixpkgs")


def attributes_of(composed: Composed, table: PackageTable) -> Attributes:
    """Every package by its attributes, sorted by name, Clang last; the interpreters of languages apart.

    Raises:
        ResolutionError: packages that are unknown, or that nixpkgs lacks in the versions asked for; all.
    """
    interpreters: dict[str, str] = {}
    packages: set[tuple[str, str]] = set()
    omitted = []
    for chosen in choose_packages(requests_of(composed), table, "nixpkgs"):
        if chosen.name in LANGUAGES and getattr(composed, chosen.name) is not None:
            interpreters[chosen.name] = chosen.names[0]
        elif chosen.omitted:
            omitted.append(OmittedThing(kind="package", name=chosen.name, reason=chosen.omitted))
        else:
            packages |= {(chosen.name, attribute) for attribute in chosen.names}
    in_order = sorted(packages, key=lambda package: (package[0] in _GIVE_WAY, package))
    listed = tuple(FlakePackage(name=name, attribute=attribute) for name, attribute in in_order)
    return Attributes(listed, interpreters, tuple(omitted))
