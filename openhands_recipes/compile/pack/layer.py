"""From fragments to a layer's tar bytes: spans copied one after another, never looked into.

Of folders named more than once in one layer the first stays. Of other paths all stay: whoever unpacks
a tar lets the last one win. `collisions` tells beforehand where that would happen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from openhands_recipes.compile.pack.tar_write import END
from openhands_recipes.errors import ResolutionError
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.fragment import Entry, Fragment, Kind
from openhands_recipes.ports import LayerOrder

Reader = Callable[[Digest, int, memoryview], None]
"""Fills a buffer with a fragment's bytes from an offset on."""


class Copy(NamedTuple):
    """A run of bytes of one fragment that goes into the layer as it is."""

    key: Digest
    offset: int
    length: int


class Collision(NamedTuple):
    """A path that two fragments of one layer bring and that is no folder in both."""

    path: str
    first: Digest
    second: Digest


def layer_copies(order: LayerOrder, fragments: Mapping[Digest, Fragment]) -> Iterator[Copy]:
    """What to copy, adjacent spans merged.

    Raises:
        ResolutionError: a hard link stays whose file is dropped.
    """
    folders: set[str] = set()
    for key in order.fragments:
        fragment = fragments[key]
        start = end = 0
        for entry, (offset, length) in zip(fragment.entries, fragment.spans, strict=True):
            path = entry.path
            if path in order.drop or (entry.kind is Kind.DIRECTORY and path in folders):
                continue
            if entry.kind is Kind.DIRECTORY:
                folders.add(path)
            elif entry.kind is Kind.HARDLINK and entry.link in order.drop:
                raise ResolutionError(f"the hard link {path!r} stays, but its file {entry.link!r} is dropped")
            if offset != end:
                if end > start:
                    yield Copy(key, start, end - start)
                start = offset
            end = offset + length
        if end > start:
            yield Copy(key, start, end - start)


def layer_size(order: LayerOrder, fragments: Mapping[Digest, Fragment]) -> int:
    """How many bytes the layer's uncompressed tar has."""
    return sum(copy.length for copy in layer_copies(order, fragments)) + len(END)


def layer_chunks(
    order: LayerOrder, fragments: Mapping[Digest, Fragment], reader: Reader, *, size: int
) -> Iterator[memoryview]:
    """The layer's uncompressed tar in blocks of exactly `size` bytes (the last one may be shorter).

    Each block is a buffer of its own: it may be kept and handed to another thread. The tar ends with
    two blocks of zeros and is not padded further (POSIX.1-2017, pax, asks for no more).
    """
    block, filled = memoryview(bytearray(size)), 0
    for key, offset, length in layer_copies(order, fragments):
        done = 0
        while done < length:
            step = min(length - done, size - filled)
            reader(key, offset + done, block[filled : filled + step])
            done += step
            filled += step
            if filled == size:
                yield block
                block, filled = memoryview(bytearray(size)), 0
    tail = bytes(block[:filled]) + END
    for start in range(0, len(tail), size):
        yield memoryview(tail)[start : start + size]


def collisions(fragments: Iterable[Fragment]) -> tuple[Collision, ...]:
    """Paths that more than one fragment brings, folders and identical files aside."""
    seen: dict[str, tuple[str, Entry]] = {}
    found = []
    for fragment in fragments:
        for entry in fragment.entries:
            key, first = seen.setdefault(entry.path, (fragment.key, entry))
            both_folders = first.kind is entry.kind is Kind.DIRECTORY
            if key != fragment.key and not both_folders and first != entry._replace(mtime=first.mtime):
                found.append(Collision(entry.path, Digest(key), Digest(fragment.key)))
    return tuple(found)
