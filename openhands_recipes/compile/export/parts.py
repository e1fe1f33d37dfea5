"""What a chain of locks pins, as the lists apt, pip and npm install from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from openhands_recipes.compile.node.lockfile import for_npm, manifest
from openhands_recipes.compile.pin import Chain
from openhands_recipes.model.lock import BuildRequirement, PlatformLock, Wheel
from openhands_recipes.model.platform import DEBIAN_ARCHITECTURE, Platform


@dataclass(frozen=True)
class Sdist:
    """A project without a wheel: pinned by its source, built with pinned requirements."""

    name: str
    version: str
    folder: str


@dataclass(frozen=True)
class PythonParts:
    """One Python environment: its name in the lock, its interpreter, and what must be built for it."""

    into: str
    version: str
    """Version stream: 3.13."""
    sdists: tuple[Sdist, ...]


def debian_files(chain: Chain, platforms: Iterable[Platform]) -> dict[str, bytes]:
    """`apt/packages.<architecture>`: one `name=version` a line."""
    return {
        f"apt/packages.{DEBIAN_ARCHITECTURE[platform]}": _lines(
            f"{deb.name}={deb.version}" for lock in _locks(chain, platform) for deb in lock.debs
        )
        for platform in platforms
    }


def python_files(chain: Chain, platforms: Iterable[Platform]) -> dict[str, bytes]:
    """Requirement files of every environment and platform, hashes and all.

    `python/<environment>/wheels.<architecture>` is for `pip install --no-deps`. A project without a wheel
    is in `python/<environment>/<project>/source.<architecture>`, what builds it in `build.<architecture>`
    beside it.
    """
    files = {}
    for platform in platforms:
        architecture = DEBIAN_ARCHITECTURE[platform]
        environments: dict[str, list[Wheel]] = {}
        for lock in _locks(chain, platform):
            for wheel in lock.wheels:
                environments.setdefault(wheel.into, []).append(wheel)
        for into, wheels in environments.items():
            files[f"python/{into}/wheels.{architecture}"] = _lines(
                _requirement(wheel) for wheel in wheels if wheel.built_from is None
            )
            for wheel in wheels:
                if wheel.built_from is not None:
                    folder = f"python/{into}/{wheel.name}"
                    source = f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.built_from.sha256}"
                    files[f"{folder}/source.{architecture}"] = _lines([source])
                    files[f"{folder}/build.{architecture}"] = _lines(
                        map(_requirement, wheel.built_from.requirements)
                    )
    return files


def python_parts(chain: Chain) -> tuple[PythonParts, ...]:
    """Every Python environment of a recipe: applications by name, then the user's own."""
    composed = chain[-1].composed
    versions = {application.name: application.python.version for application in composed.applications}
    if composed.python is not None:
        versions["python"] = composed.python.version
    sdists: dict[str, dict[str, Sdist]] = {}
    for level in chain:
        for lock in level.lock.platforms.values():
            for wheel in lock.wheels:
                if wheel.built_from is not None:
                    folder = f"python/{wheel.into}/{wheel.name}"
                    sdists.setdefault(wheel.into, {})[wheel.name] = Sdist(wheel.name, wheel.version, folder)
    return tuple(
        PythonParts(into, version, tuple(sdist for _, sdist in sorted(sdists.get(into, {}).items())))
        for into, version in versions.items()
    )


def node_files(chain: Chain, platforms: Iterable[Platform]) -> dict[str, bytes]:
    """`npm/<architecture>/package.json` and its lockfile; nothing where nobody asks npm for anything."""
    files = {}
    for platform in platforms:
        texts = [lock.npm_lockfile for lock in _locks(chain, platform) if lock.npm_lockfile is not None]
        if not texts:
            continue
        merged: dict[str, Any] = {}
        asked: dict[str, str] = {}
        for text in texts:
            lockfile = json.loads(for_npm(text))
            asked |= lockfile["packages"].get("", {}).get("dependencies", {})
            merged = {**lockfile, "packages": {**merged.get("packages", {}), **lockfile["packages"]}}
        merged["packages"][""] = {
            **merged["packages"].get("", {}),
            "dependencies": dict(sorted(asked.items())),
        }
        folder = f"npm/{DEBIAN_ARCHITECTURE[platform]}"
        files[f"{folder}/package.json"] = manifest(asked) + b"\n"
        text = json.dumps(merged, indent=1, sort_keys=True, ensure_ascii=False)
        files[f"{folder}/package-lock.json"] = f"{text}\n".encode()
    return files


def _locks(chain: Chain, platform: Platform) -> list[PlatformLock]:
    return [level.lock.platforms[platform] for level in chain if platform in level.lock.platforms]


def _requirement(wheel: Wheel | BuildRequirement) -> str:
    return f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}"


def _lines(texts: Iterable[str]) -> bytes:
    return "".join(f"{text}\n" for text in sorted(set(texts))).encode()
