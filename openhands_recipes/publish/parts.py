"""What an image consists of, told from its locks: one entry per part, with its package URL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from packageurl import PackageURL

from openhands_recipes.model.digest import Digest
from openhands_recipes.model.lock import Deb, Lock, Tarball, Wheel
from openhands_recipes.model.platform import Platform


@dataclass(frozen=True)
class Part:
    """One immutable input of an image."""

    kind: Literal["deb", "pypi", "npm", "nix"]
    name: str
    version: str
    purl: str
    sha256: str
    file: str
    license: str = ""
    """An SPDX expression as its author declares it; empty where nobody has looked."""

    @property
    def key(self) -> str:
        """What tells it from all other parts, fit for an identifier."""
        return f"{self.kind}-{self.sha256}"


@dataclass(frozen=True)
class PlatformContents:
    """One platform's image and its parts, sorted."""

    manifest: Digest
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Contents:
    """A whole release as a bill of materials tells it."""

    name: str
    version: str
    summary: str
    license: str
    created: str
    """The lock's date, ISO 8601 UTC: never the time of the release."""
    index: Digest
    platforms: Mapping[Platform, PlatformContents]

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of all platforms, each once, sorted."""
        every = {part.key: part for _, inside in sorted(self.platforms.items()) for part in inside.parts}
        return tuple(sorted(every.values(), key=_order))


def parts_of(
    locks: Sequence[Lock], platform: Platform, licenses: Mapping[str, str] | None = None
) -> tuple[Part, ...]:
    """The parts of a lineage on one platform, each once, sorted; `licenses`: sha256 -> SPDX expression."""
    known = licenses or {}
    found: dict[str, Part] = {}
    for lock in locks:
        inputs = lock.platforms.get(platform)
        if inputs is None:
            continue
        suite = lock.debian.suites[0] if lock.debian.suites else ""
        parts: list[Part] = [_deb(deb, suite, known) for deb in inputs.debs]
        parts += [part for wheel in inputs.wheels for part in _wheel(wheel, known)]
        parts += [_tarball(tarball, known) for tarball in inputs.tarballs]
        found |= {part.key: part for part in parts}
    return tuple(sorted(found.values(), key=_order))


def _order(part: Part) -> tuple[str, ...]:
    return part.kind, part.name, part.version, part.sha256


def _deb(deb: Deb, suite: str, licenses: Mapping[str, str]) -> Part:
    qualifiers = {"arch": deb.architecture, "distro": suite}
    if deb.source and deb.source != deb.name:
        qualifiers["upstream"] = deb.source
    purl = PackageURL("deb", "debian", deb.name, deb.version, qualifiers).to_string()
    file = deb.path.rpartition("/")[2]
    return Part("deb", deb.name, deb.version, purl, deb.sha256, file, licenses.get(deb.sha256, ""))


def _wheel(wheel: Wheel, licenses: Mapping[str, str]) -> Iterator[Part]:
    """A wheel, or the source that a wheel of ours is built from."""
    source = wheel.built_from
    file, sha256 = (source.file, source.sha256) if source else (wheel.file, wheel.sha256)
    purl = PackageURL("pypi", None, wheel.name, wheel.version, {"file_name": file}).to_string()
    yield Part("pypi", wheel.name, wheel.version, purl, sha256, file, licenses.get(sha256, ""))


def _tarball(tarball: Tarball, licenses: Mapping[str, str]) -> Part:
    scope, _, name = tarball.name.rpartition("/")
    purl = PackageURL("npm", scope or None, name, tarball.version).to_string()
    known = licenses.get(tarball.sha256, "")
    return Part("npm", tarball.name, tarball.version, purl, tarball.sha256, tarball.file, known)
