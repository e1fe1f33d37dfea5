"""Debian's archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from openhands_recipes.model.digest import Digest


@dataclass(frozen=True)
class PackageList:
    """One suite's verified `Packages` file for one architecture."""

    suite: str
    architecture: str
    content: bytes


@dataclass(frozen=True)
class DebianState:
    """Verified suites at one moment."""

    suites: tuple[str, ...]
    release_date: str
    """Newest `Date` of all suites, ISO 8601 UTC: `2026-11-21T09:15:44Z`."""
    release: Digest
    """Digest of the InRelease files' digests."""
    lists: tuple[PackageList, ...]


class DebianArchive(Protocol):
    """Debian's mirrors, as the machine knows them."""

    def state(
        self,
        suites: Sequence[str],
        architectures: Sequence[str],
        *,
        not_before: str = "",
        allow_expired: bool = False,
    ) -> DebianState:
        """The current state of some suites, signatures and dates checked.

        Raises:
            VerificationError: bad signature, wrong hash, expired, or older than `not_before`.
            DownloadError: no mirror answers.
        """
