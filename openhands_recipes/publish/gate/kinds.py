"""What kind of change a new version is: the table that says which number of the version must be raised.

Judged is the composed recipe, because that is what users get. `docs/gate.md` shows the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from typing import Any, NamedTuple

from openhands_recipes.model.composed import Composed
from openhands_recipes.model.platform import PLATFORMS
from openhands_recipes.model.recipe import LanguagePackages
from openhands_recipes.publish.gate.case import Case, Side, TouchedRecipe
from openhands_recipes.publish.gate.requests import requirement_name
from openhands_recipes.publish.gate.rights import egress_of


class Kind(IntEnum):
    """How much a change asks of users; a larger one includes the smaller."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3

    @property
    def word(self) -> str:
        """As people say it."""
        return self.name.lower()


class Aspect(NamedTuple):
    """One side of a recipe: its entries by name, and what it means that one comes, goes or changes."""

    name: str
    entries: Callable[[Composed], Mapping[str, Any]]
    added: Kind
    removed: Kind
    changed: Kind


class Difference(NamedTuple):
    """One entry that is not what it was."""

    kind: Kind
    text: str


class NewVersion(NamedTuple):
    """A recipe that gets another version, and what that changes for its users."""

    recipe: TouchedRecipe
    side: Side
    """After the pull request."""
    before: str
    after: str
    differences: tuple[Difference, ...]
    """Gravest first."""


def _packages(composed: Composed) -> dict[str, Any]:
    return {
        f"{p.name} {p.stream}" if p.stream else p.name: sorted({c.range for c in p.constraints})
        for p in composed.packages
    }


def _language(key: str) -> Callable[[Composed], Mapping[str, Any]]:
    def entries(composed: Composed) -> Mapping[str, Any]:
        section: LanguagePackages | None = getattr(composed, key)
        return {requirement_name(text): text for text in section.packages} if section else {}

    return entries


def _versions(composed: Composed) -> dict[str, Any]:
    sections = {"python": composed.python, "node": composed.node}
    return {name: section.version for name, section in sections.items() if section is not None}


def _single(*keys: str) -> Callable[[Composed], Mapping[str, Any]]:
    def entries(composed: Composed) -> Mapping[str, Any]:
        return {key: value for key in keys if (value := getattr(composed, key)) is not None}

    return entries


def _own(*keys: str) -> Callable[[Composed], Mapping[str, Any]]:
    def entries(composed: Composed) -> Mapping[str, Any]:
        return {
            key: value for key in keys if (value := getattr(composed.recipe, key)) not in (None, (), "", {})
        }

    return entries


def _commands(composed: Composed) -> dict[str, Any]:
    return {name: script for a in composed.applications for name, script in a.commands.items()}


def _permissions(composed: Composed) -> dict[str, Any]:
    allowed = composed.permissions
    words = [*sorted(egress_of(allowed)), *allowed.devices, *allowed.privileges]
    return dict.fromkeys(words, True)


N, P, M, X = Kind.NONE, Kind.PATCH, Kind.MINOR, Kind.MAJOR
TABLE: tuple[Aspect, ...] = (
    Aspect(
        "about it", _own("summary", "description", "license", "maintainers", "tags", "end_of_life"), P, P, P
    ),
    Aspect("modules", _own("extends"), P, P, P),
    Aspect("tests", lambda c: {test.name: test for test in c.tests}, P, P, P),
    Aspect("sources", lambda c: dict(c.unavailable.items()), P, P, P),
    Aspect("the flake's shell", _single("shell_hook"), P, P, P),
    Aspect("packages", _packages, M, X, M),
    Aspect("Python packages", _language("python"), M, X, M),
    Aspect("npm packages", _language("node"), M, X, M),
    Aspect("language versions", _versions, M, X, X),
    Aspect("applications", lambda c: {a.name: a.python for a in c.applications}, M, X, M),
    Aspect("commands", _commands, M, X, M),
    Aspect("files", lambda c: c.files, M, X, M),
    Aspect("path", lambda c: dict.fromkeys(c.path, True), M, X, M),
    Aspect("processes", lambda c: c.processes, M, X, M),
    Aspect("platforms", lambda c: dict.fromkeys(c.platforms or PLATFORMS, True), M, X, M),
    Aspect("resources", lambda c: c.resources.model_dump(exclude_none=True), M, M, M),
    Aspect("environment", lambda c: c.environment, M, X, X),
    Aspect("ports", lambda c: {port.name: port for port in c.ports}, M, X, X),
    Aspect("defaults", _single("user", "workdir", "entrypoint", "command"), X, X, X),
    Aspect("permissions", _permissions, X, X, X),
)


def differences(before: Composed, after: Composed) -> tuple[Difference, ...]:
    """Everything in which two composed recipes differ, what matters most first."""
    found = [difference for aspect in TABLE for difference in _of(aspect, before, after)]
    return tuple(sorted(found, key=lambda d: (-d.kind, d.text)))


def new_versions(case: Case) -> Iterator[NewVersion]:
    """Every recipe whose version changes and that composes before and after."""
    for recipe, side in case.present:
        if recipe.sides is None or recipe.before is None:
            continue
        before, after = recipe.before.composed, side.composed
        versions = recipe.sides[0].version, recipe.sides[1].version
        if versions[0] != versions[1] and before is not None and after is not None:
            yield NewVersion(recipe, side, *versions, differences(before, after))


def _of(aspect: Aspect, before: Composed, after: Composed) -> Iterator[Difference]:
    old, new = aspect.entries(before), aspect.entries(after)
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            yield Difference(aspect.added, f"{aspect.name}: {name} is new")
        elif name not in new:
            yield Difference(aspect.removed, f"{aspect.name}: {name} is gone")
        elif old[name] != new[name]:
            yield Difference(aspect.changed, f"{aspect.name}: {name} changes")
