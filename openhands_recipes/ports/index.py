"""Python requirements and the index that resolves them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from openhands_recipes.model.platform import Platform


@dataclass(frozen=True)
class PythonRequest:
    """What to resolve, and for which Python and platform."""

    requirements: tuple[str, ...]
    """PEP 508, without URLs."""
    python_version: str
    """Of the target: `3.13`, or `3.13.5` where markers must see the exact one."""
    platform: Platform
    constraints: tuple[str, ...] = ()
    """Pins that must hold for whatever is chosen."""
    preferences: tuple[str, ...] = ()
    """Pins (`name==version`) that are kept wherever possible: an earlier answer."""
    wheels: Mapping[str, Path] = field(default_factory=dict)
    """Wheels of our own, by file name, offered besides those of the index."""


@dataclass(frozen=True)
class SourceArchive:
    """An sdist as an index lists it."""

    project: str
    version: str
    file: str
    size: int
    sha256: str
    compiled: bool
    """The same version also publishes wheels with machine code."""


class PythonIndex(Protocol):
    """Resolves Python requirements without building anything."""

    def compile(self, request: PythonRequest) -> bytes:
        """A pylock.toml (PEP 751) of exactly what to install, hashes and sizes included.

        Raises:
            NoWheelError: some project has only sources for the target.
            ResolutionError: requirements cannot be met.
            DownloadError: the index does not answer.
        """

    def source(self, project: str, specifier: str, *, python_version: str) -> SourceArchive:
        """The newest sdist of a project within a version specifier (PEP 440).

        Raises:
            ResolutionError: the index lists none that is not yanked.
            DownloadError: the index does not answer.
        """
