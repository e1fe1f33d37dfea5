"""Bytes by digest, and fetching them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from openhands_recipes.model.digest import Digest
from openhands_recipes.ports.talk import Stage


class Blobs(Protocol):
    """The content-addressed cache shared by all recipes."""

    def path(self, digest: Digest) -> Path | None:
        """Where a blob lies, or None."""

    def add(self, content: bytes) -> Digest:
        """Keep some bytes."""


@dataclass(frozen=True)
class Wanted:
    """Bytes that are known by digest and may be had from one of several places."""

    name: str
    digest: Digest
    size: int
    origin: Literal["debian", "pypi", "npm"]
    path: str
    """debian: path below a mirror; pypi: `<normalised project>/<file>`; npm: path below the registry."""
    suite: str = ""
    """debian only: which suite's mirrors to ask first."""


class Downloads(Protocol):
    """Fetches bytes into the blob cache: bounded, pooled, resumed, verified while reading."""

    def fetch(
        self,
        wanted: Sequence[Wanted],
        *,
        stage: Stage | None = None,
        on_ready: Callable[[Wanted, Path], None] | None = None,
    ) -> int:
        """Have all of them in the cache; return how many bytes came over the network.

        `on_ready` is called from the caller's thread, once per item, as soon as it is complete.

        Raises:
            DownloadError: no place has it, or the network gave up.
            VerificationError: a place served other bytes than promised.
        """


class Records(Protocol):
    """Small facts worth keeping between runs; losing one only costs time."""

    def get(self, kind: str, key: Digest) -> bytes | None:
        """What was kept, or None."""

    def put(self, kind: str, key: Digest, content: bytes) -> None:
        """Keep a fact, whole or not at all."""
