"""The cache of fragments on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO

from openhands_recipes.model.digest import Digest
from openhands_recipes.model.fragment import Entry, Fragment
from openhands_recipes.ports import Content, Conversion

Converter = Callable[[IO[bytes], IO[bytes], str, Mapping[str, str]], Fragment]
Builder = Callable[[Iterable[tuple[Entry, Content]], IO[bytes], str], Fragment]


class FragmentStore:
    """Fragments below a folder: `ab/<hex>.tar` and its listing `ab/<hex>.json`."""

    def __init__(
        self,
        folder: Path,
        *,
        converters: Mapping[str, Converter],
        build: Builder,
        workers: int,
    ) -> None:
        raise NotImplementedError

    def get(self, key: Digest) -> Fragment | None:
        """The listing of a fragment made before."""
        raise NotImplementedError

    def convert(
        self, jobs: Iterable[Conversion], *, on_done: Callable[[Conversion, Fragment], None] | None = None
    ) -> dict[Digest, Fragment]:
        """Make many fragments on all cores."""
        raise NotImplementedError

    def create(self, key: Digest, entries: Iterable[tuple[Entry, Content]]) -> Fragment:
        """A fragment from entries made or captured by us."""
        raise NotImplementedError

    def read_into(self, key: Digest, offset: int, into: memoryview) -> None:
        """Fill a buffer with a fragment's bytes from an offset on."""
        raise NotImplementedError
