"""Store paths on this machine's disk as fragments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from openhands_recipes.model.digest import Digest
from openhands_recipes.model.fragment import Kind
from openhands_recipes.ports.fragments import Fragments


class Node(NamedTuple):
    """One path of a tree as a Nix archive sees it.

    `path` is relative to the tree's root, which is "" itself; foreign bytes are surrogate escapes.
    """

    path: str
    kind: Kind
    executable: bool = False
    size: int = 0
    link: str = ""
    sha256: str = ""
    """Of the content; only of files that may be the same as another one of their tree."""


class Frame(NamedTuple):
    """What stands before and after a node's content (which only files have) in a Nix archive."""

    head: bytes
    tail: bytes


@dataclass(frozen=True)
class StoreTree:
    """A store path and where its tree can be read."""

    key: Digest
    path: str
    """`/nix/store/<hash>-<name>`"""
    nar_hash: str
    nar_size: int
    folder: Path


class StoreFragments(Fragments, Protocol):
    """The cache of fragments, and beside it store paths that are read where they are.

    The bytes of a store path's fragment are made while they are read; those of files come straight from the
    store. They are hashed on their way, so that what was read to the end is what the hash promises.
    """

    def plant(self, trees: Iterable[StoreTree]) -> None:
        """Let fragments be had from the trees of a store; nothing is read yet."""

    def check(self, keys: Sequence[Digest]) -> None:
        """Read planted trees to the end, for nothing but their hashes.

        Raises:
            VerificationError: one is not what its hash promises.
        """
