"""Fragments and the layers packed from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, Protocol

from openhands_recipes.model.digest import Digest
from openhands_recipes.model.fragment import Entry, Fragment
from openhands_recipes.ports.talk import Stage

if TYPE_CHECKING:  # pydantic takes 0.15 s to load, and `ohr run` needs none of it
    from openhands_recipes.model.image import Compression, Layer


@dataclass(frozen=True)
class Conversion:
    """A part to be turned into a fragment: which file, by which rule."""

    key: Digest
    kind: Literal["deb", "wheel", "npm"]
    path: Path
    options: Mapping[str, str] = field(default_factory=dict)
    """wheel: `prefix` (/opt/agent-server), `python` (3.13), `owner` (uid:gid)."""


Content = bytes | Callable[[], Iterator[bytes]] | None


class Fragments(Protocol):
    """The cache of fragments."""

    def get(self, key: Digest) -> Fragment | None:
        """The listing of a fragment made before."""

    def convert(
        self, jobs: Iterable[Conversion], *, on_done: Callable[[Conversion, Fragment], None] | None = None
    ) -> dict[Digest, Fragment]:
        """Make many fragments on all cores; jobs may keep coming while earlier ones are worked on.

        Raises:
            VerificationError: a part's archive is malformed or wants to escape the root.
        """

    def read_into(self, key: Digest, offset: int, into: memoryview) -> None:
        """Fill a buffer with a fragment's bytes from an offset on."""

    def create(self, key: Digest, entries: Iterable[tuple[Entry, Content]]) -> Fragment:
        """A fragment from entries made or captured by us; missing parent folders are added (root, 0755)."""


@dataclass(frozen=True)
class LayerOrder:
    """A layer to be packed: its identity, its human name, its fragments in order.

    Of folders named more than once the first wins. `drop` lists paths left out.
    """

    key: Digest
    group: str
    fragments: tuple[Digest, ...]
    drop: frozenset[str] = frozenset()


class Packer(Protocol):
    """Turns fragments into compressed layers, in parallel, always with the same bytes."""

    def pack(
        self, orders: Sequence[LayerOrder], *, compression: Compression, stage: Stage | None = None
    ) -> tuple[Layer, ...]:
        """One packed layer per order, kept under its key; known ones are not packed again."""

    def stream(self, order: LayerOrder) -> AbstractContextManager[IO[bytes]]:
        """The layer's uncompressed tar."""
