"""npm's package-lock.json (lockfile version 3): which tarballs a platform needs, and where they go.

The lockfile is made with npm's "shallow" strategy, so that every package asked for carries its own
dependencies below itself, exactly as `npm install --global` lays them out. It is kept without any host:
`resolved` becomes a path below a registry.

Source: npm documentation, "package-lock.json"; npm-install-checks for `os`, `cpu` and `libc`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from openhands_recipes.errors import ResolutionError
from openhands_recipes.model.lock import Tarball
from openhands_recipes.model.platform import Platform

FOLDER = "node_modules/"
CPU: Mapping[Platform, str] = {"linux/amd64": "x64", "linux/arm64": "arm64"}
"""What Node.js calls them (`process.arch`)."""

_NAME = re.compile(r"^(@[a-z0-9~-][a-z0-9._~-]*/)?[A-Za-z0-9~_-][A-Za-z0-9._~-]*$")
_LOCATION = re.compile(r"^node_modules/(@[^/]+/)?[^/@][^/]*(/node_modules/(@[^/]+/)?[^/@][^/]*)*$")
_FILE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._+~-]*\.tgz$")


@dataclass(frozen=True)
class NodePackage:
    """One folder below a `node_modules`, and the tarball it comes from."""

    location: str
    """Path from the folder that holds the outermost `node_modules`."""
    name: str
    version: str
    file: str
    integrity: str
    optional: bool = False
    bundled: bool = False
    """It is part of the tarball of the package above it."""
    system: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """`os`, `cpu` and `libc` it is restricted to."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """Command -> script within the package."""
    wants: tuple[str, ...] = ()
    """Names of its dependencies of all kinds."""

    @property
    def place(self) -> str:
        """Its path below the outermost `node_modules`: how an image names its folder."""
        return self.location.removeprefix(FOLDER)

    @property
    def top(self) -> bool:
        """Whether somebody asked for it: it lies in the outermost `node_modules`."""
        return FOLDER not in self.place


def manifest(requirements: Mapping[str, str]) -> bytes:
    """The package.json that asks for some packages: name -> range."""
    asked = dict(sorted(requirements.items()))
    value = {"name": "globals", "version": "0.0.0", "private": True, "dependencies": asked}
    return json.dumps(value, indent=1).encode()


def read_lockfile(text: str) -> tuple[NodePackage, ...]:
    """Every package of a lockfile, by location.

    Raises:
        ResolutionError: another lockfile version, or packages that come from no registry.
    """
    try:
        value = json.loads(text)
        version, packages = value["lockfileVersion"], value["packages"]
    except (ValueError, KeyError, TypeError) as error:
        raise ResolutionError(f"npm wrote something that is no lockfile: {error}") from error
    if version != 3:
        raise ResolutionError(
            f"npm writes lockfiles of version {version}; version 3 is needed", hint="use npm 7 or newer"
        )
    return tuple(_package(location, packages[location]) for location in sorted(packages) if location)


def _package(location: str, entry: Mapping[str, Any]) -> NodePackage:
    name = str(entry.get("name") or location.rpartition(FOLDER)[2])
    bundled = bool(entry.get("inBundle"))
    resolved, integrity = str(entry.get("resolved", "")), str(entry.get("integrity", ""))
    file = resolved.rpartition("/")[2] or f"{name.rpartition('/')[2]}-{entry.get('version', '')}.tgz"
    if entry.get("link") or not _LOCATION.match(location) or ".." in location or not _NAME.match(name):
        raise ResolutionError(f"npm chose something that is no package of a registry: {location!r}")
    if not bundled and (not integrity.startswith("sha512-") or not _FILE.match(file)):
        raise ResolutionError(
            f"npm's {name} comes from no registry, or one that tells no sha512: {resolved!r}",
            hint="ask for it by a version of the registry",
        )
    wants = [*entry.get("dependencies", ()), *entry.get("optionalDependencies", ())]
    return NodePackage(
        location=location,
        name=name,
        version=str(entry.get("version", "")),
        file=file,
        integrity=integrity.split(maxsplit=1)[0] if integrity else "",
        optional=bool(entry.get("optional") or entry.get("devOptional")),
        bundled=bundled,
        system={key: _listed(entry[key]) for key in ("os", "cpu", "libc") if entry.get(key)},
        commands=dict(sorted(entry.get("bin", {}).items())),
        wants=tuple(sorted({*wants, *entry.get("peerDependencies", ())})),
    )


def _listed(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def hostless(text: str) -> str:
    """The lockfile as a lock keeps it: sorted, and every `resolved` a path below a registry.

    Raises:
        ResolutionError: as `read_lockfile`.
    """
    packages = {package.location: package for package in read_lockfile(text)}
    value = json.loads(text)
    for location, entry in value["packages"].items():
        for unneeded in ("funding", "engines", "license", "deprecated"):
            entry.pop(unneeded, None)
        if location and not packages[location].bundled:
            entry["resolved"] = f"{packages[location].name}/-/{packages[location].file}"
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def for_npm(text: str) -> str:
    """A kept lockfile as npm takes it as its earlier answer: it looks up the places itself."""
    value = json.loads(text)
    for entry in value["packages"].values():
        entry.pop("resolved", None)
    return json.dumps(value)


def placed(
    lockfile: str, tarballs: Iterable[Tarball], platform: Platform
) -> tuple[tuple[NodePackage, Tarball], ...]:
    """Every folder of an image with the tarball that fills it, sorted by location.

    Raises:
        ResolutionError: lockfile and tarballs of the lock do not belong together.
    """
    known = {tarball.integrity: tarball for tarball in tarballs}
    listed = [package for package in packages_for(read_lockfile(lockfile), platform) if not package.bundled]
    lost = [package.name for package in listed if package.integrity not in known]
    if lost:
        raise ResolutionError(
            f"the lock lists no tarball for npm's {', '.join(lost)}", hint="run `ohr lock` to write it anew"
        )
    return tuple((package, known[package.integrity]) for package in listed)


def packages_for(packages: Iterable[NodePackage], platform: Platform) -> tuple[NodePackage, ...]:
    """What npm installs on a platform: all that is reachable without optional packages for others.

    Raises:
        ResolutionError: a package that is not optional does not support the platform.
    """
    known = {package.location: package for package in packages}
    kept: dict[str, NodePackage] = {}
    waiting = [package for package in known.values() if package.top]
    while waiting:
        package = waiting.pop()
        if package.location in kept:
            continue
        if not _supports(package, platform):
            if package.optional:
                continue
            raise ResolutionError(
                f"npm's {package.name} {package.version} does not support {platform}",
                hint=f"leave {platform} out of `platforms`, or the package out of `node`",
            )
        kept[package.location] = package
        waiting += [found for name in package.wants if (found := _seen_from(package, name, known))]
    return tuple(kept[location] for location in sorted(kept))


def _supports(package: NodePackage, platform: Platform) -> bool:
    target = {"os": "linux", "cpu": CPU[platform], "libc": "glibc"}
    return all(_allows(package.system.get(key, ()), value) for key, value in target.items())


def _allows(listed: Sequence[str], value: str) -> bool:
    if f"!{value}" in listed:
        return False
    wanted = [one for one in listed if not one.startswith("!")]
    return not wanted or value in wanted or "any" in wanted


def _seen_from(package: NodePackage, name: str, known: Mapping[str, NodePackage]) -> NodePackage | None:
    """The package that `require(name)` finds: below itself first, then in every folder above."""
    above = package.location
    while above:
        if found := known.get(f"{above}/{FOLDER}{name}"):
            return found
        above = above.rpartition(FOLDER)[0].rstrip("/")
    return known.get(f"{FOLDER}{name}")
