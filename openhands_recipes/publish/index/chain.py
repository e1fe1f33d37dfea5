"""Which blobs a file of the index names by digest: what a mirror must take along."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from openhands_recipes.model.index import Pinned
from openhands_recipes.publish.index.changes import read_segment
from openhands_recipes.publish.index.lists import CATALOGUE, read_catalogue
from openhands_recipes.publish.index.shard import read_archive, read_shard

Read = Callable[[Pinned], bytes]


def blobs_of(path: str, content: bytes, read: Read) -> Iterator[Pinned]:
    """Every blob a target names, directly or through others; `read` gives those on the way.

    Raises:
        VerificationError: the target or a blob is not what its path says.
    """
    if path == CATALOGUE:
        yield from _segments(content, read)
    elif path.startswith("shards/"):
        yield from _archives(path.rpartition("/")[2].removesuffix(".json.zst"), content, read)


def _segments(content: bytes, read: Read) -> Iterator[Pinned]:
    last = read_catalogue(content).changes.last
    while last is not None:
        yield last
        last = read_segment(read(last)).previous


def _archives(name: str, content: bytes, read: Read) -> Iterator[Pinned]:
    shard = read_shard(content, name)
    entries, older = shard.entries, shard.older
    while True:
        yield from (entry.recipe for entry in entries if entry.recipe)
        if older is None:
            return
        yield older
        entries, older = read_archive(read(older), name)
