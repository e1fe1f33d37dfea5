from __future__ import annotations

import io
from dataclasses import replace

import pytest

from openhands_recipes.compile.pack.build import build_fragment
from openhands_recipes.compile.pack.layer import Copy, collisions, layer_chunks, layer_copies, layer_size
from openhands_recipes.errors import ResolutionError
from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.model.fragment import Entry, Fragment, Kind
from openhands_recipes.ports import Content, LayerOrder
from tests.parts import read_tar


class Shelf:
    """Fragments in memory."""

    def __init__(self) -> None:
        self.fragments: dict[Digest, Fragment] = {}
        self.bytes: dict[Digest, bytes] = {}

    def add(self, name: str, *entries: tuple[Entry, Content]) -> Digest:
        key = digest_of(name.encode())
        sink = io.BytesIO()
        self.fragments[key] = build_fragment(entries, sink, key)
        self.bytes[key] = sink.getvalue()
        return key

    def read(self, key: Digest, offset: int, into: memoryview) -> None:
        into[:] = self.bytes[key][offset : offset + len(into)]

    def layer(self, order: LayerOrder, *, size: int = 700) -> bytes:
        chunks = list(layer_chunks(order, self.fragments, self.read, size=size))
        assert all(len(chunk) == size for chunk in chunks[:-1])
        assert 0 < len(chunks[-1]) <= size
        return b"".join(chunks)


def order(*keys: Digest) -> LayerOrder:
    return LayerOrder(digest_of(b"layer"), "group", keys)


def folder(path: str, mode: int = 0o755) -> tuple[Entry, Content]:
    return Entry(path, Kind.DIRECTORY, mode), None


def file(path: str, content: bytes = b"x") -> tuple[Entry, Content]:
    return Entry(path, Kind.FILE), content


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.mark.parametrize("size", [1, 511, 512, 1024, 1536, 4096, 1 << 20])
def test_a_layer_is_the_same_in_blocks_of_any_size(shelf: Shelf, size: int) -> None:
    a = shelf.add("a", folder("usr"), file("usr/a", b"a" * 1000))
    b = shelf.add("b", folder("usr"), file("usr/b"))
    raw = shelf.layer(order(a, b), size=size)
    assert raw == shelf.layer(order(a, b))
    assert raw.endswith(bytes(1024))
    assert len(raw) == layer_size(order(a, b), shelf.fragments) == 512 + 512 + 1024 + 512 + 512 + 1024


def test_of_a_repeated_folder_the_first_stays(shelf: Shelf) -> None:
    a = shelf.add("a", folder("usr", 0o700), file("usr/a"))
    b = shelf.add("b", folder("usr", 0o755), file("usr/b"))
    found = read_tar(shelf.layer(order(a, b)))
    assert list(found) == ["usr", "usr/a", "usr/b"]
    assert found["usr"][0].mode == 0o700
    assert read_tar(shelf.layer(order(b, a)))["usr"][0].mode == 0o755


def test_dropped_paths_are_left_out(shelf: Shelf) -> None:
    a = shelf.add("a", folder("usr"), file("usr/a"), file("usr/b"), file("usr/c"))
    dropped = replace(order(a), drop=frozenset({"usr", "usr/b"}))
    assert list(read_tar(shelf.layer(dropped))) == ["usr/a", "usr/c"]


def test_adjacent_spans_are_one_copy(shelf: Shelf) -> None:
    a = shelf.add("a", folder("usr"), file("usr/a"), file("usr/b"), file("usr/c"))
    assert list(layer_copies(order(a), shelf.fragments)) == [Copy(a, 0, 3584)]
    dropped = replace(order(a), drop=frozenset({"usr/b"}))
    assert list(layer_copies(dropped, shelf.fragments)) == [Copy(a, 0, 1536), Copy(a, 2560, 1024)]


def test_a_hard_link_cannot_outlive_its_file(shelf: Shelf) -> None:
    a = shelf.add("a", file("f"), (Entry("h", Kind.HARDLINK, link="f"), None))
    with pytest.raises(ResolutionError, match="hard link 'h' stays, but its file 'f' is dropped"):
        shelf.layer(replace(order(a), drop=frozenset({"f"})))
    assert read_tar(shelf.layer(replace(order(a), drop=frozenset({"f", "h"})))) == {}


def test_a_layer_of_nothing_is_two_blocks_of_zeros(shelf: Shelf) -> None:
    assert shelf.layer(order()) == bytes(1024)
    assert shelf.layer(order(shelf.add("empty"))) == bytes(1024)


def test_collisions_are_paths_two_fragments_bring_differently(shelf: Shelf) -> None:
    keys = [
        shelf.add("a", folder("usr"), file("usr/same"), file("usr/other", b"1")),
        shelf.add("b", folder("usr", 0o700), file("usr/same"), file("usr/other", b"2")),
        shelf.add("c", file("usr/same", b"3")),
    ]
    found = collisions(shelf.fragments[key] for key in keys)
    assert [(c.path, c.first, c.second) for c in found] == [
        ("usr/other", keys[0], keys[1]),
        ("usr/same", keys[0], keys[2]),
    ]
