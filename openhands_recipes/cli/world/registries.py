"""Registries of other organisations, read by their signed indexes."""

# ruff: noqa: PLC0415 - nothing of an index is loaded before a recipe extends one
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from openhands_recipes.errors import DownloadError, VerificationError

if TYPE_CHECKING:
    from openhands_recipes.cli.index_options import IndexChoice
    from openhands_recipes.model.index import Pinned, ReleaseState
    from openhands_recipes.model.kept import OtherRelease
    from openhands_recipes.model.settings import Settings
    from openhands_recipes.ports import Blobs
    from openhands_recipes.ports.index_site import IndexReader

EXPIRED = "OHR431"
ANY_AGE = 1e9
"""Seconds: what was verified once, however long ago."""


@dataclass
class IndexedRegistries:
    """Those below `registries:` of registry.yaml; each question is asked once a run."""

    settings: Callable[[], Settings]
    open_index: Callable[[IndexChoice], AbstractContextManager[IndexReader]]
    blobs: Callable[[], Blobs]
    say: Callable[[str], None]
    _states: dict[tuple[str, str, str], ReleaseState | None] = field(default_factory=dict)
    _newest: dict[tuple[str, str, str], OtherRelease] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)

    @property
    def own(self) -> str:
        """This registry's own name."""
        return self.settings().name

    def names(self) -> tuple[str, ...]:
        """The registries that are known, sorted."""
        return tuple(sorted(self.settings().registries))

    def newest(self, registry: str, name: str, ranges: Sequence[str]) -> OtherRelease:
        """The newest release that fits and may be chosen."""
        from openhands_recipes.compile.recipe.ranges import intersection
        from openhands_recipes.flows.find import Asked, resolve
        from openhands_recipes.model.kept import OtherRelease

        text = intersection(sorted(set(ranges))) if ranges else ""
        key = (registry, name, text)
        if key not in self._newest:
            with self._index(registry) as reader:
                entry = resolve(reader, Asked(name, range=text)).entry
                if entry.recipe is not None:
                    reader.blob(entry.recipe)
            self._newest[key] = OtherRelease(
                registry, name, entry.version, entry.revision, entry.lock, entry.recipe, entry.state
            )
            self._states[registry, name, entry.label] = entry.state
        return self._newest[key]

    def state(self, registry: str, name: str, label: str) -> ReleaseState | None:
        """What became of a release, as far as can be known now; None when nobody can be asked."""
        key = (registry, name, label)
        if key not in self._states:
            self._states[key] = self._asked_state(registry, name, label)
        return self._states[key]

    def kept(self, registry: str, pinned: Pinned) -> bytes:
        """What an index keeps by digest, from the cache if it is there."""
        from openhands_recipes.model.digest import digest_of

        path = self.blobs().path(pinned.digest)
        content = path.read_bytes() if path is not None else b""
        if digest_of(content) == pinned.digest:
            return content
        with self._index(registry) as reader:
            return reader.blob(pinned)

    def warn(self, text: str) -> None:
        """Tell the user something once."""
        if text not in self._said:
            self._said.add(text)
            self.say(click.style("warning:", fg="yellow") + f" {text}")

    def _asked_state(self, registry: str, name: str, label: str) -> ReleaseState | None:
        from openhands_recipes.flows.find import known_state, shard_of

        with self._index(registry) as reader:
            try:
                return known_state(reader, shard_of(reader, name), label)
            except DownloadError:
                pass
            except VerificationError as error:
                # Expired, and nobody there who could have something newer: a pin holds without an index.
                # An index that answers and has expired is refused like any other fault.
                if error.code != EXPIRED or not reader.warnings:
                    raise
            self.warn(f"whether {registry}/{name} {label} was withdrawn meanwhile cannot be looked up")
            return self._last_known(reader, name, label)

    def _last_known(self, reader: IndexReader, name: str, label: str) -> ReleaseState | None:
        """What a release was when its index was last verified."""
        from openhands_recipes.flows.find import known_state
        from openhands_recipes.publish.index.shard import read_shard, shard_path

        content = reader.cached_target(shard_path(name), seconds=ANY_AGE)
        try:
            return known_state(reader, read_shard(content, name), label) if content is not None else None
        except DownloadError:
            return None

    @contextmanager
    def _index(self, registry: str) -> Iterator[IndexReader]:
        from openhands_recipes.cli.index_options import IndexChoice

        with self.open_index(IndexChoice(registry=registry)) as reader:
            yield reader
