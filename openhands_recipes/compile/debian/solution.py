"""The outcome of a solve: which packages, why each, and in which order to configure them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openhands_recipes.compile.debian.candidates import InstalledPackage
from openhands_recipes.compile.debian.packages import Package
from openhands_recipes.compile.debian.relations import text_of
from openhands_recipes.compile.debian.selection import Pick
from openhands_recipes.model.lock import Deb


@dataclass(frozen=True, slots=True)
class Solution:
    """What one level adds, sorted by name; the parents' packages are not in it."""

    packages: tuple[Package, ...]
    picks: Mapping[str, Pick]
    wishes: Mapping[str, str]
    """Why a package is there that no other package needs: who asked for it, as a sentence."""
    before: Mapping[str, tuple[str, ...]]
    """Package -> those of this level that meet its Pre-Depends, sorted."""
    beside: Mapping[str, tuple[str, ...]]
    """Package -> those of this level that meet its Depends, sorted."""

    def pre_depends(self, name: str) -> tuple[str, ...]:
        """Packages of this level that must be configured before this one is unpacked."""
        return self.before[name]

    def depends(self, name: str) -> tuple[str, ...]:
        """Packages of this level that should be configured before this one is."""
        return self.beside[name]

    def why(self, name: str) -> tuple[str, ...]:
        """The chain from a recipe's wish to a package, one sentence a link."""
        pick = self.picks[name]
        lines: list[str] = []
        while pick.by is not None:
            lines.append(f"{pick.by} needs {text_of(pick.group)}")
            pick = self.picks[pick.by]
        lines.append(self.wishes[pick.package])
        return tuple(reversed(lines))

    def debs(self) -> tuple[Deb, ...]:
        """The packages as a lock lists them."""
        return tuple(
            Deb(
                name=package.name,
                version=package.version,
                architecture=package.architecture,
                suite=package.suite,
                path=package.path,
                size=package.size,
                installed_size=package.installed_size,
                source=package.source,
                sha256=package.sha256,
            )
            for package in self.packages
        )


def installed_by(parent: str, debs: tuple[Deb, ...]) -> tuple[InstalledPackage, ...]:
    """A parent's locked packages as the fixed part of its child's solve."""
    return tuple(InstalledPackage(deb.name, deb.version, deb.architecture, parent) for deb in debs)
