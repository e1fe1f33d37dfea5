"""Packages: what nixlib/packages.toml says, and what a request for one comes to.

The file is read by Python and by Nix (`builtins.fromTOML`) alike, so it stays plain: registry name ->
summary, commands, and per source either names or the reason why there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from openhands_recipes.model import forms
from openhands_recipes.model.base import Model
from openhands_recipes.model.recipe import PackageName, VersionStream

DebianName = Annotated[str, StringConstraints(pattern=forms.PACKAGE_NAME, max_length=128)]
AttributePath = Annotated[str, StringConstraints(pattern=forms.ATTRIBUTE_PATH, max_length=128)]
CommandName = Annotated[str, StringConstraints(pattern=forms.COMMAND_NAME, max_length=64)]


class Unavailable(Model):
    """A source does not have this, and why."""

    unavailable: Annotated[str, StringConstraints(min_length=1, max_length=300)]


class Omitted(Model):
    """A source needs nothing for this, and why: it comes with something else, or belongs to the machine."""

    omitted: Annotated[str, StringConstraints(min_length=1, max_length=300)]


class PackageStream(Model):
    """One version stream of a package: its names in every source."""

    debian: tuple[DebianName, ...] | Unavailable
    nixpkgs: tuple[AttributePath, ...] | Unavailable | Omitted | None = None
    commands: tuple[CommandName, ...] = ()
    """Commands only this stream provides (`gcc-13`), on top of the package's own."""


class Package(Model):
    """A tool by its registry name. Either `streams` with a `default`, or names at the top."""

    summary: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    commands: tuple[CommandName, ...] = ()
    debian: tuple[DebianName, ...] | Unavailable | None = None
    nixpkgs: tuple[AttributePath, ...] | Unavailable | Omitted | None = None
    """Attribute paths below `legacyPackages.<system>`."""
    default: VersionStream | None = None
    streams: dict[VersionStream, PackageStream] = Field(default={})


PackageTable = Mapping[PackageName, Package]
"""Every package the registry knows."""
PackageSource = Literal["debian", "nixpkgs"]
"""The columns of the table."""


@dataclass(frozen=True)
class ChosenPackage:
    """A package request that one source meets: which stream, and the source's own names for it."""

    name: str
    stream: str
    """Empty for packages without version streams."""
    names: tuple[str, ...]
    """Empty where the source needs nothing for it."""
    commands: tuple[str, ...]
    omitted: str = ""
    """Why the source needs nothing."""


@dataclass(frozen=True)
class ResolvedPackage:
    """A package request that was met: which stream, and which Debian packages provide it."""

    name: str
    stream: str
    """Empty for packages without version streams."""
    debian: tuple[str, ...]
    commands: tuple[str, ...]
