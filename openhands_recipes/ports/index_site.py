"""The signed index: the side that publishes it and the side that reads it. Paths are those of TUF targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from openhands_recipes.model.digest import Digest
from openhands_recipes.model.index import Pinned

IndexRole = Literal["root", "targets", "bins", "snapshot", "timestamp"]
INDEX_ROLES: tuple[IndexRole, ...] = ("root", "targets", "bins", "snapshot", "timestamp")


@dataclass(frozen=True)
class NewIndex:
    """What is decided once, when an index begins."""

    bins: int = 512
    """How many parts the list of shards is cut into: a power of two."""
    root_keys: int = 3
    root_threshold: int = 2


@dataclass(frozen=True)
class Published:
    """What an edit made visible."""

    version: int
    """Of the snapshot."""
    written: int
    """Files."""
    visible: bool
    """False: the timestamp key is elsewhere, and its holder makes the edit visible."""


@dataclass(frozen=True)
class Expiry:
    """Until when one part of the index is good."""

    role: str
    version: int
    expires: datetime


class IndexEdit(Protocol):
    """Changes to an index that become visible all at once, or not at all."""

    def read(self, path: str) -> bytes | None:
        """A target as it will be.

        Raises:
            VerificationError: the index is damaged.
        """

    def put(self, path: str, content: bytes) -> None:
        """Add a target or replace it."""

    def blob(self, pinned: Pinned) -> bytes:
        """Bytes the index keeps by digest.

        Raises:
            VerificationError: they are missing or damaged.
        """

    def keep(self, content: bytes) -> Pinned:
        """Keep bytes by digest."""

    def publish(self) -> Published:
        """Sign everything that changed, and what expires soon; the timestamp comes last."""


class IndexRepository(Protocol):
    """An index that we publish."""

    def create(self, new: NewIndex) -> None:
        """Begin an empty index with new keys.

        Raises:
            UsageError: there is one already.
        """

    def edit(self) -> AbstractContextManager[IndexEdit]:
        """Change it; others wait meanwhile. Nothing is visible unless `publish` is called.

        Raises:
            VerificationError: the index is damaged.
            UsageError: a key is missing.
        """

    def sign_timestamp(self) -> Published:
        """Say that the index is still the newest, and make a finished edit visible."""

    def rotate(self, role: IndexRole) -> tuple[str, ...]:
        """Replace a role's keys; returns the new key files."""

    def walk(self) -> Iterator[tuple[str, bytes]]:
        """Every target, verified.

        Raises:
            VerificationError: anything is missing, damaged or not signed as it must be.
        """

    def stray(self, known: frozenset[Digest]) -> Sequence[str]:
        """Blobs that nothing names."""

    def blob(self, pinned: Pinned) -> bytes:
        """Bytes the index keeps by digest, verified."""

    def expiries(self) -> tuple[Expiry, ...]:
        """Until when each role is good."""


class IndexReader(Protocol):
    """An index somebody else publishes: everything it returns is verified."""

    @property
    def identity(self) -> str:
        """Where it is and by which root it is believed; the same as long as both are."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user must know of how it was read: offline, or as of an earlier date."""

    def target(self, path: str) -> bytes | None:
        """A target, from the cache if it is still the same; None when the index has none of that name.

        Raises:
            VerificationError: any promise is broken; the code says which.
            DownloadError: the index cannot be reached and nothing usable is in the cache.
        """

    def cached_target(self, path: str, *, seconds: float) -> bytes | None:
        """A target verified not longer ago than that, without asking anybody; else None."""

    def blob(self, pinned: Pinned) -> bytes:
        """Bytes the index keeps by digest, from the cache if they are there."""
