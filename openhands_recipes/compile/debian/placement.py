"""Which packages can be laid down from their archives as they are, and which need the real dpkg.

A data layer is a plain stack of archives. That equals what dpkg does as long as no package takes over
another one's path, goes through a symbolic link, or belongs to an account that only its own scripts make.
Whatever is not plain is given to `dpkg --unpack` in the sandbox. No package is named here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from openhands_recipes.compile.debian.database import Package
from openhands_recipes.errors import ResolutionError
from openhands_recipes.model.fragment import ControlFile, Entry, Kind

_NOTHING = ControlFile(0, b"")
_NAME = re.compile(r"\s*([a-z0-9][a-z0-9+.-]*)")


@dataclass(frozen=True)
class Placement:
    """How one level's packages get into the image."""

    real_unpack: frozenset[str]
    """Names that go through the real dpkg."""
    folders: tuple[Entry, ...]
    """Folders whose owner or mode the new layers would change; dpkg leaves existing folders alone."""


def place(packages: Sequence[Package], below: Mapping[str, Entry], *, known: Iterable[str] = ()) -> Placement:
    """Sort packages into plain ones and those for the real dpkg.

    Args:
        packages: what this level unpacks.
        below: every path of the levels below, as it finally stands there.
        known: packages that turned out to need the real dpkg while configuring.

    Raises:
        ResolutionError: two packages ship the same file and neither replaces the other.
    """
    ordered = unpack_order(packages)
    real = set(known) | {p.name for p in ordered if _has_dynamic_owner(p)} | _divert_files(ordered)
    owners: dict[str, Package] = {}
    seen = dict(below)
    for package in ordered:
        if package.name in real:
            continue
        reason = _obstacle(package, seen, owners)
        if reason is not None:
            real.add(package.name)
            continue
        for entry in package.fragment.entries:
            if entry.kind is not Kind.DIRECTORY:
                owners[entry.path] = package
            seen.setdefault(entry.path, entry)
    plain = [p for p in ordered if p.name not in real]
    return Placement(frozenset(real), _kept_folders(plain, below))


def unpack_order(packages: Iterable[Package]) -> list[Package]:
    """Essential packages first, then by name: who names a folder first decides its owner and mode."""
    return sorted(packages, key=lambda p: (not p.essential, p.name))


def _has_dynamic_owner(package: Package) -> bool:
    """Ids below 100 are Debian's for good (policy 9.2.2); the packer keeps names of all others."""
    return any(e.uname or e.gname for e in package.fragment.entries)


def _obstacle(package: Package, seen: Mapping[str, Entry], owners: Mapping[str, Package]) -> str | None:
    """The first path that is not free, or None."""
    links = {e.path for e in package.fragment.entries if e.kind is Kind.SYMLINK}
    for entry in package.fragment.entries:
        there = seen.get(entry.path)
        if there is not None and not (entry.kind is there.kind is Kind.DIRECTORY):
            owner = owners.get(entry.path)
            same_link = entry.kind is there.kind is Kind.SYMLINK and entry.link == there.link
            mixed = Kind.DIRECTORY in (entry.kind, there.kind)
            if owner is not None and not (same_link or mixed or _replaces(package, owner)):
                raise ResolutionError(
                    f"packages '{owner.name}' and '{package.name}' both contain /{entry.path}",
                    hint="one of them must leave the recipe: Debian does not let them be installed together",
                )
            return entry.path
        parent = entry.path.rpartition("/")[0]
        above = seen.get(parent)
        if above is not None and above.kind is Kind.SYMLINK and parent not in links:
            return entry.path
    return None


def _replaces(package: Package, other: Package) -> bool:
    relations = package.fields.get("replaces", "").split(",") + other.fields.get("replaces", "").split(",")
    names = {m.group(1) for r in relations if (m := _NAME.match(r))}
    return bool(names & {package.name, other.name})


def _divert_files(packages: Sequence[Package]) -> set[str]:
    """Packages with files that others have too and a preinst that may move those away: only dpkg can tell."""
    times = Counter(path for package in packages for path in _files(package))
    return {
        package.name
        for package in packages
        if b"dpkg-divert" in package.fragment.control.get("preinst", _NOTHING).content
        and any(times[path] > 1 for path in _files(package))
    }


def _files(package: Package) -> Iterator[str]:
    return (entry.path for entry in package.fragment.entries if entry.kind is not Kind.DIRECTORY)


def _kept_folders(plain: Iterable[Package], below: Mapping[str, Entry]) -> tuple[Entry, ...]:
    first: dict[str, Entry] = {}
    differing: set[str] = set()
    for package in plain:
        for entry in package.fragment.entries:
            if entry.kind is not Kind.DIRECTORY:
                continue
            truth = first.setdefault(entry.path, below.get(entry.path, entry))
            if (truth.mode, truth.uid, truth.gid) != (entry.mode, entry.uid, entry.gid):
                differing.add(entry.path)
    return tuple(first[path] for path in sorted(differing))
