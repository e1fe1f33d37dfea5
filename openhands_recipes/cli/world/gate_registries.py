"""Registries of other organisations as a base commit trusts them, for the pull-request gate.

A pull request must not choose whom it is believed by: addresses and trusted roots are those of the base.
"""

# ruff: noqa: PLC0415 - nothing of an index is loaded before a recipe extends one
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from openhands_recipes.cli.index_options import IndexChoice
from openhands_recipes.cli.world.registries import EXPIRED, IndexedRegistries
from openhands_recipes.errors import DownloadError, UsageError, VerificationError

if TYPE_CHECKING:
    from openhands_recipes.flows.gate_store import CommitStore
    from openhands_recipes.model.index import ReleaseState
    from openhands_recipes.model.settings import Settings
    from openhands_recipes.ports.index_site import IndexReader

BESIDE = "recipes/"
"""Settings name their files from here."""


class AskedRegistries(IndexedRegistries):
    """As everywhere, but nothing is taken for granted because nobody could be asked."""

    def _asked_state(self, registry: str, name: str, label: str) -> ReleaseState | None:
        """What became of a release.

        Raises:
            DownloadError: the index cannot be reached.
        """
        from openhands_recipes.flows.find import known_state, shard_of

        with self._index(registry) as reader:
            return known_state(reader, shard_of(reader, name), label)

    @contextmanager
    def _index(self, registry: str) -> Iterator[IndexReader]:
        with super()._index(registry) as reader:
            try:
                yield reader
            except VerificationError as error:
                if error.code != EXPIRED or not reader.warnings:
                    raise
                # Expired in the cache, and nobody there who could have something newer.
                raise DownloadError(f"its index cannot be reached: {error.message}") from error


@dataclass(frozen=True)
class TrustedByBase:
    """Opens the indexes that a commit's settings trust."""

    base: CommitStore
    open_index: Callable[[IndexChoice], AbstractContextManager[IndexReader]]
    folder: Path
    """Where trusted roots are laid down."""

    def settings(self) -> Settings:
        """registry.yaml of the commit."""
        from openhands_recipes.compile.recipe.settings import parse_settings

        stored = self.base.settings()
        return parse_settings(stored.content, file=stored.file)

    @contextmanager
    def index(self, choice: IndexChoice) -> Iterator[IndexReader]:
        """The index of another registry.

        Raises:
            UsageError: the commit does not hold its trusted root.
        """
        trusted = self.settings().registries[choice.registry]
        path = BESIDE + trusted.root
        root = self.base.file(path)
        if root is None:
            raise UsageError("the base does not hold the trusted root of this index", where=path)
        with self.open_index(IndexChoice(trusted.url, self._laid_down(root))) as reader:
            yield reader

    def _laid_down(self, root: bytes) -> Path:
        from openhands_recipes.adapters.atomic import atomic_write
        from openhands_recipes.model.digest import digest_of

        path = self.folder / f"{digest_of(root).partition(':')[2]}.root.json"
        atomic_write(path, root)
        return path
