"""What a Debian suite says of itself in its signed Release file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class ListedFile(NamedTuple):
    """A file below `dists/<suite>/`, as the Release file promises it."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Release:
    """A Release file's text as a value. Only its SHA256 table counts; times are UTC."""

    origin: str
    suite: str
    codename: str
    date: datetime
    valid_until: datetime | None
    by_hash: bool
    """Files may be asked for by their hash, so that a mirror in the middle of an update does no harm."""
    architectures: tuple[str, ...]
    all_in_each: bool
    """Packages lists of an architecture also hold the packages of architecture `all`."""
    files: Mapping[str, ListedFile]

    def is_suite(self, name: str) -> bool:
        """Whether the suite may be called so: `trixie-updates` (codename) or `stable-updates` (suite)."""
        return name in {self.codename, self.suite}
