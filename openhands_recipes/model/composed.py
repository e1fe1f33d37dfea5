"""Composed: what a recipe amounts to once everything it extends is merged in.

Made by `openhands_recipes.compile.recipe.compose`; this module only says what the result looks like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from openhands_recipes.model.platform import Platform
from openhands_recipes.model.proof import Port, Process, TestCase
from openhands_recipes.model.recipe import (
    Application,
    FileSpec,
    LanguagePackages,
    Permissions,
    Recipe,
    Resources,
    Source,
    User,
)

STANDARD_PATH: tuple[str, ...] = (
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
)
"""Debian's PATH for root and containers; `path` of a recipe goes in front of it."""


class Origin(NamedTuple):
    """The place in a recipe that says something. Lines and columns count from 1."""

    recipe: str
    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Constraint(NamedTuple):
    """A version range and who asks for it."""

    range: str
    origin: Origin


@dataclass(frozen=True)
class RequestedPackage:
    """A package some levels ask for, by registry name.

    Every constraint must hold. `stream` is set where a language section (`python.version`) or an
    application names the exact version stream; a package may then appear once per stream.
    """

    name: str
    constraints: tuple[Constraint, ...] = ()
    stream: str | None = None
    origins: tuple[Origin, ...] = ()


@dataclass(frozen=True)
class Level:
    """One member of the lineage: its recipe as written, that is, only what it adds itself."""

    recipe: Recipe
    file: str
    """Path of its recipe.yaml as shown to people."""

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.recipe.name

    @property
    def version(self) -> str:
        """The recipe's version."""
        return self.recipe.version


@dataclass(frozen=True)
class Composed:
    """A recipe with everything it extends. Identity fields are the recipe's own, all others effective.

    `lineage` starts with the lowest ancestor and ends with the recipe itself; `levels[i]` belongs to
    `lineage[i]`. Collections without an order of their own are sorted by name.
    """

    recipe: Recipe
    lineage: tuple[str, ...]
    levels: tuple[Level, ...]
    platforms: tuple[Platform, ...]
    """Empty: the registry's platforms."""
    packages: tuple[RequestedPackage, ...]
    """Including the interpreters that `python`, `node` and `applications` imply."""
    python: LanguagePackages | None
    node: LanguagePackages | None
    applications: tuple[Application, ...]
    environment: Mapping[str, str]
    path: tuple[str, ...]
    """Folders in front of the standard PATH, nearest level first."""
    files: Mapping[str, FileSpec]
    user: User | None
    workdir: str | None
    entrypoint: tuple[str, ...] | None
    command: tuple[str, ...] | None
    processes: Mapping[str, Process]
    shell_hook: str | None
    ports: tuple[Port, ...]
    permissions: Permissions
    resources: Resources
    unavailable: Mapping[Source, str]
    tests: tuple[TestCase, ...]
    origins: Mapping[tuple[str, ...], tuple[Origin, ...]]
    """Effective value -> who said it: `("environment", "LANG")`, `("packages", "gcc")`, `("workdir",)`."""

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.recipe.name

    @property
    def version(self) -> str:
        """The recipe's version."""
        return self.recipe.version

    @property
    def full_environment(self) -> dict[str, str]:
        """Every variable a process of the sandbox starts with, PATH included, sorted by name."""
        path = dict.fromkeys((*self.path, *STANDARD_PATH))
        return dict(sorted({**self.environment, "PATH": ":".join(path)}.items()))
