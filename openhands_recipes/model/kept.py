"""What an index keeps of a release for others to extend, and how a lock pins it."""

from __future__ import annotations

from typing import NamedTuple

from openhands_recipes.model.digest import Digest
from openhands_recipes.model.index import Pinned, ReleaseState


class KeptLevel(NamedTuple):
    """One member of a released lineage: its files, byte for byte."""

    name: str
    recipe: bytes
    lock: bytes


class OtherRelease(NamedTuple):
    """A release in the index of another registry, as far as those who extend it must know it."""

    registry: str
    name: str
    version: str
    revision: int
    lock: Digest
    kept: Pinned | None
    """None: its publisher does not keep it for others to extend."""
    state: ReleaseState

    @property
    def label(self) -> str:
        """`1.2.0-r3`."""
        return f"{self.version}-r{self.revision}"


class Pin(NamedTuple):
    """A release of another registry as a child's lock pins it; newer ones compare greater by number."""

    base: str
    """registry/name"""
    version: str
    revision: int
    lock: Digest
    kept: Pinned

    @property
    def label(self) -> str:
        """`1.2.0-r3`."""
        return f"{self.version}-r{self.revision}"
