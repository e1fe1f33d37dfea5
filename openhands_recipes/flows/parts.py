"""Locked parts: how to get them, and what they are converted to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from openhands_recipes.model.digest import Digest, digest_of_json, from_hex
from openhands_recipes.model.lock import BuildRequirement, Deb, Tarball, Wheel
from openhands_recipes.ports import Conversion, Wanted

DEB_RULES = 1
"""Raise it when .debs become other fragments."""


def wanted_deb(deb: Deb) -> Wanted:
    """How to get a .deb."""
    return Wanted(deb.name, from_hex(deb.sha256), deb.size, "debian", deb.path, deb.suite)


def wanted_wheel(wheel: Wheel | BuildRequirement) -> Wanted:
    """How to get a wheel an index has."""
    return Wanted(wheel.file, from_hex(wheel.sha256), wheel.size, "pypi", f"{wheel.name}/{wheel.file}")


def wanted_tarball(tarball: Tarball) -> Wanted:
    """How to get an npm package."""
    return Wanted(
        tarball.file, from_hex(tarball.sha256), tarball.size, "npm", f"{tarball.name}/-/{tarball.file}"
    )


def deb_key(deb: Deb) -> Digest:
    """The key of a .deb's fragment."""
    return digest_of_json(["deb", DEB_RULES, deb.sha256])


@dataclass(frozen=True)
class Part:
    """Something to download and the conversion it is for."""

    wanted: Wanted
    conversion: Callable[[Path], Conversion]
    key: Digest


def deb_part(deb: Deb) -> Part:
    """A .deb as a part."""
    key = deb_key(deb)
    return Part(wanted_deb(deb), lambda path: Conversion(key, "deb", path), key)
