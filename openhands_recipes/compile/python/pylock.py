"""A resolver's answer (pylock.toml, PEP 751) becomes the wheels of a lock.

The lock keeps one file per project: the one pip would choose on the target. Where the answer says
files lie is forgotten; an index finds them again by name and hash. Markers were judged by whoever
resolved, for the same target.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from openhands_recipes.errors import ResolutionError
from openhands_recipes.model.lock import BuildRequirement, Wheel
from openhands_recipes.model.platform import MACHINE, Platform

GLIBC = 41
"""Minor version of Debian trixie's glibc 2; what runs with an older one runs there (PEP 600)."""
OLDEST_GLIBC: Mapping[Platform, int] = {"linux/amd64": 5, "linux/arm64": 17}
OLDER_NAMES: Mapping[int, str] = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
"""What PEP 600 made of PEP 513, 571 and 599."""

Rank = tuple[int, int, str]


@dataclass(frozen=True)
class ChosenWheel:
    """The one file of a project that fits a target best."""

    name: str
    version: str
    file: str
    size: int
    sha256: str

    @property
    def pure(self) -> bool:
        """Whether it runs on every platform."""
        return runs_everywhere(self.file)

    def into(self, environment: str) -> Wheel:
        """As a lock lists it."""
        return Wheel(
            name=self.name,
            version=self.version,
            file=self.file,
            size=self.size,
            sha256=self.sha256,
            into=environment,
        )

    def build_requirement(self) -> BuildRequirement:
        """As the lock of a built wheel lists it."""
        return BuildRequirement(
            name=self.name, version=self.version, file=self.file, size=self.size, sha256=self.sha256
        )


def choose_wheels(pylock: bytes, *, python_version: str, platform: Platform) -> tuple[ChosenWheel, ...]:
    """The wheels to install, sorted by name.

    Raises:
        ResolutionError: not a lock of ours, or a project without a wheel that fits.
    """
    try:
        packages = tomllib.loads(pylock.decode())["packages"]
        chosen = [_chosen(package, python_version=python_version, platform=platform) for package in packages]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ResolutionError(f"the resolver's answer is not a pylock.toml: {error}") from error
    return tuple(sorted(chosen, key=lambda wheel: wheel.name))


def runs_everywhere(file: str) -> bool:
    """Whether a wheel's file name promises that it runs on every platform."""
    return file.endswith("-any.whl")


@functools.cache
def supported_tags(python_version: str, platform: Platform) -> Mapping[Tag, int]:
    """Every tag a target can install, with its rank: 0 is best (PEP 425)."""
    major, minor = (int(part) for part in python_version.split(".")[:2])
    machine = MACHINE[platform]
    platforms: list[str] = []
    for glibc in range(GLIBC, OLDEST_GLIBC[platform] - 1, -1):
        platforms.append(f"manylinux_2_{glibc}_{machine}")
        if glibc in OLDER_NAMES:
            platforms.append(f"{OLDER_NAMES[glibc]}_{machine}")
    platforms.append(f"linux_{machine}")
    interpreter = f"cp{major}{minor}"
    ordered = [
        *cpython_tags((major, minor), abis=[interpreter], platforms=platforms),
        *compatible_tags((major, minor), interpreter=interpreter, platforms=platforms),
    ]
    return {tag: rank for rank, tag in reversed(list(enumerate(ordered)))}


def fits(file: str, *, python_version: str, platform: Platform) -> bool:
    """Whether a wheel of this name can be installed on a target."""
    return _rank(file, supported_tags(python_version, platform)) is not None


def _chosen(package: Mapping[str, Any], *, python_version: str, platform: Platform) -> ChosenWheel:
    name, version = canonicalize_name(package["name"]), str(package["version"])
    tags = supported_tags(python_version, platform)
    ranked = [
        (rank, file, wheel)
        for wheel in package.get("wheels", ())
        for file in [_file_of(wheel)]
        for rank in [_rank(file, tags)]
        if rank is not None and _belongs(file, name, version)
    ]
    if not ranked:
        raise ResolutionError(
            f"{name} {version} has no wheel for Python {python_version} on {platform}",
            hint="choose a version that has one",
        )
    _, file, wheel = min(ranked, key=lambda candidate: candidate[0])
    sha256 = wheel.get("hashes", {}).get("sha256")
    if not sha256:
        raise ResolutionError(
            f"the Python package index does not tell the sha256 of {file}", hint="use an index that does"
        )
    return ChosenWheel(name, version, file, int(wheel["size"]), str(sha256).lower())


def _file_of(wheel: Mapping[str, Any]) -> str:
    """The file's name, from wherever the answer says it lies."""
    if "name" in wheel:
        return str(wheel["name"])
    place = wheel["url"] if "url" in wheel else wheel["path"]
    return unquote(urlsplit(place).path.rpartition("/")[2])


def _rank(file: str, tags: Mapping[Tag, int]) -> Rank | None:
    """Better is less: the tag first, then the higher build number, then the name."""
    try:
        _, _, build, own = parse_wheel_filename(file)
    except (InvalidWheelFilename, InvalidVersion):
        return None
    ranks = [tags[tag] for tag in own if tag in tags]
    return (min(ranks), -(build[0] if build else -1), file) if ranks else None


def _belongs(file: str, name: str, version: str) -> bool:
    own_name, own_version, _, _ = parse_wheel_filename(file)
    return own_name == name and own_version == Version(version)


def pins(wheels: Iterable[Wheel]) -> tuple[str, ...]:
    """Wheels as exact requirements."""
    return tuple(f"{wheel.name}=={wheel.version}" for wheel in wheels)
