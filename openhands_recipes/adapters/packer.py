"""Packs fragments into layers on all cores, always with the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import IO, Protocol

from openhands_recipes.adapters.fragments import FragmentStore
from openhands_recipes.adapters.image_store import LocalImageStore
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.fragment import Fragment
from openhands_recipes.model.image import Compression, Layer
from openhands_recipes.ports import LayerOrder, Stage


class Codec(Protocol):
    """What the packer must know of a codec."""

    @property
    def new_encoder(self) -> Callable[[], Callable[[memoryview], bytes]]:
        """Makes one encoder per thread."""


class Chunks(Protocol):
    """The pure step that lays a layer out."""

    def __call__(
        self,
        order: LayerOrder,
        fragments: Mapping[Digest, Fragment],
        reader: Callable[[Digest, int, memoryview], None],
        *,
        size: int,
    ) -> Iterator[memoryview]:
        """The layer's tar in blocks of `size` bytes."""


@dataclass(frozen=True)
class PackSteps:
    """The pure steps the packer runs; handed in, because doors never import them."""

    chunks: Chunks
    codec: Callable[[Compression], Codec]
    block: int


class LayerPacker:
    """Packs layers; `workers` cores are used in all."""

    def __init__(
        self, fragments: FragmentStore, images: LocalImageStore, *, steps: PackSteps, workers: int
    ) -> None:
        raise NotImplementedError

    def pack(
        self, orders: Sequence[LayerOrder], *, compression: Compression, stage: Stage | None = None
    ) -> tuple[Layer, ...]:
        """One packed layer per order, kept in the image store under its key."""
        raise NotImplementedError

    def stream(self, order: LayerOrder) -> AbstractContextManager[IO[bytes]]:
        """The layer's uncompressed tar."""
        raise NotImplementedError
