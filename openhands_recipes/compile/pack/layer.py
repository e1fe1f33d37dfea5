"""From fragments to a layer's tar bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from openhands_recipes.model.digest import Digest
from openhands_recipes.model.fragment import Fragment
from openhands_recipes.ports import LayerOrder

Reader = Callable[[Digest, int, memoryview], None]
"""Fills a buffer with a fragment's bytes from an offset on."""


def layer_chunks(
    order: LayerOrder, fragments: Mapping[Digest, Fragment], reader: Reader, *, size: int
) -> Iterator[memoryview]:
    """The layer's uncompressed tar in blocks of exactly `size` bytes (the last one may be shorter)."""
    raise NotImplementedError
