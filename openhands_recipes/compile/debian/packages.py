"""An index over `Packages` files that parses a stanza only when somebody looks at it.

A Debian suite has some 70,000 stanzas, a solve touches a few hundred. So indexing scans the text for
names and Provides alone and keeps addresses; everything else waits for the first touch. The scan relies
on every stanza opening with its `Package` field, as all archive software writes it, and refuses others.

It neither verifies lists (the archive's door did) nor decides between packages.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from openhands_recipes.compile.debian.relations import Alternatives, Relation, parse_field, parse_flat
from openhands_recipes.compile.debian.version import sort_key
from openhands_recipes.errors import ResolutionError, VerificationError
from openhands_recipes.ports import PackageList

_STANZA = re.compile(rb"\n\nPackage: ([^\n]+)")
_PROVIDES = re.compile(rb"\nProvides: ([^\n]+(?:\n[ \t][^\n]*)*)")
_ESSENTIAL = re.compile(rb"\nEssential: yes(?=\n|\Z)")
_PRIORITIES = {"": 0, "required": 1, "important": 2, "standard": 3, "optional": 4}
_EXTRA = 5


@dataclass(frozen=True, slots=True)
class Package:
    """One stanza: a binary package of one version, as one suite offers it."""

    name: str
    version: str
    architecture: str
    native: str
    """The architecture of the list it stands in, where `all` packages run as well."""
    suite: str = ""
    path: str = ""
    size: int = 0
    installed_size: int = 0
    """Bytes."""
    source: str = ""
    source_version: str = ""
    sha256: str = ""
    essential: bool = False
    important: bool = False
    priority: int = 0
    """1 required ... 5 extra; 0 where the stanza is silent."""
    multi_arch: str = ""
    pre_depends: tuple[Alternatives, ...] = ()
    depends: tuple[Alternatives, ...] = ()
    conflicts: tuple[Relation, ...] = ()
    breaks: tuple[Relation, ...] = ()
    provides: tuple[Relation, ...] = ()

    def satisfies(self, relation: Relation) -> bool:
        """Whether this package, by its name or by what it provides, is what a relation means.

        A versioned relation is met by a versioned Provides only (debian-policy 7.5).
        """
        if self.name == relation.name and relation.accepts(self.version) and self._fits(relation.qualifier):
            return True
        return any(
            provided.name == relation.name
            and (not relation.operator or (bool(provided.operator) and relation.accepts(provided.version)))
            and (self._fits(relation.qualifier) or provided.qualifier == relation.qualifier)
            for provided in self.provides
        )

    def _fits(self, qualifier: str) -> bool:
        """`:any` asks for Multi-Arch: allowed; an architecture for itself."""
        if not qualifier:
            return True
        if qualifier == "any":
            return self.multi_arch == "allowed"
        return qualifier in ("native", self.native)


@dataclass(slots=True)
class Universe:
    """All packages of some suites for one architecture; build it with `index`."""

    lists: tuple[PackageList, ...]
    _bases: list[int]
    _places: dict[str, list[int]]
    _providers: dict[str, list[str]]
    _parsed: dict[int, Package] = field(default_factory=dict)
    _versions: dict[str, tuple[Package, ...]] = field(default_factory=dict)

    @property
    def suites(self) -> tuple[str, ...]:
        """The suites, in the order of preference for equal versions."""
        return tuple(part.suite for part in self.lists)

    @property
    def architecture(self) -> str:
        """The one architecture."""
        return self.lists[0].architecture if self.lists else "all"

    def names(self) -> Iterator[str]:
        """Every real package's name."""
        return iter(self._places)

    def versions(self, name: str) -> tuple[Package, ...]:
        """All versions of a package, the highest first, equal ones in the order of the suites."""
        known = self._versions.get(name)
        if known is None:
            found = [self._package(place) for place in self._places.get(name, ())]
            usable = [package for package in found if package.architecture in ("all", package.native)]
            known = tuple(sorted(usable, key=lambda package: sort_key(package.version), reverse=True))
            self._versions[name] = known
        return known

    def candidate(self, name: str) -> Package | None:
        """The version a new installation gets."""
        versions = self.versions(name)
        return versions[0] if versions else None

    def find(self, name: str, version: str) -> Package | None:
        """Exactly this version."""
        return next((package for package in self.versions(name) if package.version == version), None)

    def providers(self, name: str) -> tuple[Package, ...]:
        """Candidates whose Provides name this, sorted by name; the package of that name is not among them."""
        owners = sorted(set(self._providers.get(name, ())))
        candidates = (self.candidate(owner) for owner in owners)
        return tuple(
            package
            for package in candidates
            if package and any(provided.name == name for provided in package.provides)
        )

    def essential(self) -> tuple[Package, ...]:
        """Candidates that say `Essential: yes`, sorted by name."""
        names = {
            self._package(self._address(position, match.start())).name
            for position, part in enumerate(self.lists)
            for match in _ESSENTIAL.finditer(part.content)
        }
        candidates = (self.candidate(name) for name in sorted(names))
        return tuple(package for package in candidates if package and package.essential)

    def _address(self, position: int, offset: int) -> int:
        """The address of the stanza around an offset."""
        start = self.lists[position].content.rfind(b"\n\n", 0, offset)
        return self._bases[position] + (0 if start < 0 else start + 2)

    def _package(self, address: int) -> Package:
        known = self._parsed.get(address)
        if known is None:
            position = bisect_right(self._bases, address) - 1
            part, start = self.lists[position], address - self._bases[position]
            end = part.content.find(b"\n\n", start)
            stanza = part.content[start : end if end >= 0 else None]
            known = _parse(stanza.decode(errors="replace"), part)
            self._parsed[address] = known
        return known


def index(lists: Sequence[PackageList]) -> Universe:
    """An index over several suites of one architecture.

    Raises:
        VerificationError: a list does not look like a `Packages` file.
    """
    if len({part.architecture for part in lists}) > 1:
        raise ValueError("one universe has one architecture")
    bases = list(accumulate((len(part.content) + 1 for part in lists), initial=0))[:-1]
    places: dict[str, list[int]] = {}
    providers: dict[str, list[str]] = {}
    for part, base in zip(lists, bases, strict=True):
        _scan(part, base, places, providers)
    return Universe(tuple(lists), bases, places, providers)


def _scan(
    part: PackageList, base: int, places: dict[str, list[int]], providers: dict[str, list[str]]
) -> None:
    content = part.content
    if not content or content.isspace():
        return
    if not content.startswith(b"Package: "):
        raise VerificationError(f"the package list of {part.suite} does not begin with a package")
    first = content[len(b"Package: ") : content.find(b"\n")]
    names, starts = [first.decode().strip()], [0]
    for match in _STANZA.finditer(content):
        names.append(match[1].decode().strip())
        starts.append(match.start() + 2)
    if content.count(b"\n\n") - content.endswith(b"\n\n") != len(starts) - 1:
        raise VerificationError(
            f"the package list of {part.suite} has stanzas that do not begin with Package"
        )
    for name, start in zip(names, starts, strict=True):
        places.setdefault(name, []).append(base + start)
    for match in _PROVIDES.finditer(content):
        owner = names[bisect_right(starts, match.start()) - 1]
        for piece in match[1].decode().split(","):
            virtual = piece.strip().partition(" ")[0].partition("(")[0].partition(":")[0]
            providers.setdefault(virtual, []).append(owner)


def _parse(stanza: str, part: PackageList) -> Package:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1] in " \t":
            fields[name] = f"{fields.get(name, '')} {line.strip()}"
        else:
            name, _, value = line.partition(":")
            name = name.lower()
            fields[name] = value.strip()
    try:
        return _package(fields, part)
    except (KeyError, ValueError) as error:
        raise VerificationError(f"malformed stanza of {fields.get('package')!r} in {part.suite}") from error
    except ResolutionError as error:
        raise VerificationError(f"package {fields['package']!r} in {part.suite}: {error.message}") from error


def _package(fields: dict[str, str], part: PackageList) -> Package:
    name, version = fields["package"], fields["version"]
    sort_key(version)
    source, _, source_version = fields.get("source", name).partition(" ")
    priority = fields.get("priority", "")
    return Package(
        name=name,
        version=version,
        architecture=fields.get("architecture", ""),
        native=part.architecture,
        suite=part.suite,
        path=fields.get("filename", ""),
        size=int(fields.get("size", "0")),
        installed_size=int(fields.get("installed-size", "0")) * 1024,
        source=source,
        source_version=source_version.strip("() ") or version,
        sha256=fields.get("sha256", "").lower(),
        essential=fields.get("essential") == "yes",
        important="yes" in (fields.get("important"), fields.get("protected")),
        priority=_PRIORITIES.get(priority, _EXTRA),
        multi_arch=fields.get("multi-arch", ""),
        pre_depends=parse_field(fields.get("pre-depends", "")),
        depends=parse_field(fields.get("depends", "")),
        conflicts=parse_flat(fields.get("conflicts", "")),
        breaks=parse_flat(fields.get("breaks", "")),
        provides=parse_flat(fields.get("provides", "")),
    )
