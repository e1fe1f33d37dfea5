"""Nix archives, as the manual describes them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from openhands_recipes.compile.nix.nar import frames, hash_of, in_order, nar_hash
from openhands_recipes.model.fragment import Kind
from openhands_recipes.ports.store_trees import Node
from tests.store_trees import ODD, nar_of, plant


def archive(*nodes: tuple[Node, bytes]) -> bytes:
    framed = zip(frames(node for node, _ in nodes), nodes, strict=True)
    return b"".join(frame.head + content + frame.tail for frame, (_, content) in framed)


def words(raw: bytes) -> list[bytes]:
    """The strings an archive is made of."""
    found = []
    while raw:
        size = int.from_bytes(raw[:8], "little")
        found.append(raw[8 : 8 + size])
        assert not any(raw[8 + size : 8 + -(-size // 8) * 8]), "padding is zeros"
        raw = raw[8 + -(-size // 8) * 8 :]
    return found


def test_a_file_alone_is_an_archive() -> None:
    assert words(archive((Node("", Kind.FILE, size=3), b"abc"))) == [
        b"nix-archive-1", b"(", b"type", b"regular", b"contents", b"abc", b")",
    ]  # fmt: skip


def test_programs_and_links_are_told_apart_from_files() -> None:
    assert b"executable" in words(archive((Node("", Kind.FILE, executable=True), b"")))
    assert words(archive((Node("", Kind.SYMLINK, link="/x\udcff"), b"")))[-2] == b"/x\xff"


def test_folders_hold_named_entries_and_are_all_closed() -> None:
    nodes = [
        (Node("", Kind.DIRECTORY), b""),
        (Node("a", Kind.DIRECTORY), b""),
        (Node("a/b", Kind.DIRECTORY), b""),
        (Node("a/b/c", Kind.FILE, size=1), b"1"),
        (Node("d", Kind.DIRECTORY), b""),
        (Node("e", Kind.SYMLINK, link="d"), b""),
    ]
    found = words(archive(*nodes))
    assert found.count(b"(") == found.count(b")") == 11
    assert [found[at + 1] for at, word in enumerate(found) if word == b"name"] == [
        b"a",
        b"b",
        b"c",
        b"d",
        b"e",
    ]
    assert found[-4:] == [b"d", b")", b")", b")"]


def test_an_empty_folder_is_closed_too() -> None:
    assert words(archive((Node("", Kind.DIRECTORY), b"")))[-2:] == [b"directory", b")"]


def test_the_hash_is_the_one_nix_computes_for_the_same_tree() -> None:
    """A folder with one file `a` of "hi" and a line end, hashed by `nix hash path`."""
    nodes = [(Node("", Kind.DIRECTORY), b""), (Node("a", Kind.FILE, size=3), b"hi\n")]
    promised = "878832cd22b5e038e117b701378558f8a9b6cad7381a0e6d57a9e865d34f85a6"
    assert hash_of(nodes) == nar_hash(bytes.fromhex(promised))


def test_a_tree_of_odd_names_hashes_as_nix_hashes_it(tmp_path: Path) -> None:
    assert hashlib.sha256(nar_of(plant(tmp_path / "odd", ODD))).hexdigest() == ODD_HASH


ODD_HASH = "3e799b3c815d1da5b8c438f502f2a6fe8c6f7c4f123cad7ed3141f695b513676"
"""Of `tests.store_trees.ODD`, by `nix-store --dump | sha256sum`."""


@given(st.lists(st.text("ab-._", min_size=1, max_size=3), max_size=8))
def test_the_order_of_an_archive_is_that_of_names_not_of_paths(names: list[str]) -> None:
    paths = sorted({f"{a}/{b}" for a in names for b in names} | set(names), key=in_order)
    for at, path in enumerate(paths[:-1]):
        inside = [p for p in paths if p.startswith(f"{path}/")]
        assert paths[at + 1 : at + 1 + len(inside)] == inside
