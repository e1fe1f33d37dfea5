"""Flake data: what the Nix side (nixlib) is told of a recipe, as JSON. The interface between Python and Nix.

`recipe.json` of a flake folder and `recipes/<name>/flake.json` hold it. Keys are only ever added, never
changed: nixlib ignores what it does not know. Every list is sorted by name unless its order means something.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from openhands_recipes.model.base import Model
from openhands_recipes.model.package import AttributePath, Unavailable
from openhands_recipes.model.proof import OutputCheck

OmittedKind = Literal["application", "package", "variable", "path", "file", "test"]


class FlakePackage(Model):
    """A tool: its registry name, and its attribute path below `legacyPackages.<system>`.

    A registry package of several attributes appears once for each; several packages may share one.
    """

    name: str
    attribute: str


class FlakeLibrary(Model):
    """A package of a language's own registry.

    `attribute` belongs to the interpreter's package set (Python: `<interpreter>.pkgs`) or, for npm, to the
    top level. The pin decides which version there is.
    """

    name: str
    attribute: str
    range: str = ""
    """Versions that will do, all of these: PEP 440 specifiers, or npm's comparators, `^` and `~`, joined by
    commas. Empty for any."""
    extras: tuple[str, ...] = ()
    """Python extras (PEP 508): `<attribute>.optional-dependencies.<extra>` come along."""


class FlakeLanguage(Model):
    """An interpreter and the packages it must find."""

    attribute: str
    packages: tuple[FlakeLibrary, ...]


class FlakeTest(Model):
    """A test of the recipe that does not need its image."""

    name: str
    run: str
    exit_code: int
    stdout: OutputCheck | None
    stderr: OutputCheck | None
    timeout: int


class OmittedThing(Model):
    """Something of the recipe that a flake does without, and why."""

    kind: OmittedKind
    name: str
    reason: str


class FlakeData(Model):
    """Everything the flake of one recipe is made of, besides nixpkgs itself."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    name: str
    version: str
    summary: str
    license: str
    tags: tuple[str, ...]
    systems: tuple[str, ...]
    packages: tuple[FlakePackage, ...]
    python: FlakeLanguage | None
    node: FlakeLanguage | None
    environment: dict[str, str]
    path: tuple[str, ...]
    """In front of PATH, in this order. `~/` at the beginning is the home of whoever runs the shell."""
    shell_hook: str
    files: tuple[str, ...] = ()
    """Always empty: files outside the workspace belong to images."""
    tests: tuple[FlakeTest, ...]
    omitted: tuple[OmittedThing, ...]


class LanguageNames(Model):
    """nixlib/languages.toml: what nixpkgs calls packages of the languages' own registries."""

    python: dict[str, AttributePath | Unavailable]
    """Normalised project name (PEP 503) -> attribute, where the attribute is not that name."""
    npm: dict[str, AttributePath | Unavailable]
    """npm package -> top-level attribute; nixpkgs lacks what is not here."""
