"""The bytes of a Nix archive around the contents of its files, and the hash of the whole.

A Nix archive knows folders, files, whether they are programs, and symbolic links; no owner, time or
hard link. So whatever is derived from one depends on its hash alone.

Source: Nix manual, "Nix Archive (NAR) format"; "Subresource Integrity" for how its hash is written.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator

from openhands_recipes.model.fragment import Kind
from openhands_recipes.ports.store_trees import Frame, Node


def text(raw: bytes) -> bytes:
    """A string of the format: its length in eight bytes, itself, zeros up to a multiple of eight."""
    return len(raw).to_bytes(8, "little") + raw + bytes(-len(raw) % 8)


def _texts(*words: bytes) -> bytes:
    return b"".join(map(text, words))


_MAGIC = text(b"nix-archive-1")
_CLOSE = text(b")")
_FOLDER = _texts(b"(", b"type", b"directory")
_FILE = _texts(b"(", b"type", b"regular", b"contents")
_PROGRAM = _texts(b"(", b"type", b"regular", b"executable", b"", b"contents")
_LINK = _texts(b"(", b"type", b"symlink", b"target")
_ENTRY = _texts(b"entry", b"(", b"name")
_NODE = text(b"node")


def frames(nodes: Iterable[Node]) -> Iterator[Frame]:
    """A frame for each node; with the contents between heads and tails they are the archive.

    Nodes come as the archive has them: the root first, each folder followed by what is in it, sorted by
    the bytes of the names (`in_order`).
    """
    held: Frame | None = None
    opened: list[str] = []
    for node in nodes:
        if held is None:
            head = _MAGIC
        else:
            head, parent = b"", node.path.rpartition("/")[0]
            while opened[-1] != parent:
                opened.pop()
                head += _CLOSE + _CLOSE  # of the folder, and of the entry that holds it
            yield held
            name = node.path.rpartition("/")[2]
            head += _ENTRY + text(_raw(name)) + _NODE
        held = _frame(node, head)
        if node.kind is Kind.DIRECTORY:
            opened.append(node.path)
    if held is not None:
        yield held._replace(tail=held.tail + _CLOSE * (2 * len(opened) - 1 if opened else 0))


def _frame(node: Node, head: bytes) -> Frame:
    end = _CLOSE + _CLOSE if node.path else _CLOSE
    if node.kind is Kind.DIRECTORY:
        return Frame(head + _FOLDER, b"")
    if node.kind is Kind.SYMLINK:
        return Frame(head + _LINK + text(_raw(node.link)), end)
    opening = _PROGRAM if node.executable else _FILE
    return Frame(head + opening + node.size.to_bytes(8, "little"), bytes(-node.size % 8) + end)


def in_order(path: str) -> tuple[bytes, ...]:
    """Sort key that brings the paths of a tree into the order of its archive."""
    return tuple(map(_raw, path.split("/"))) if path else ()


def nar_hash(sha256: bytes) -> str:
    """A sha256 as Nix writes it: `sha256-` and base64."""
    return f"sha256-{base64.b64encode(sha256).decode()}"


def hash_of(nodes: Iterable[tuple[Node, bytes]]) -> str:
    """The hash of a small tree whose contents are at hand, in the archive's order."""
    listed = list(nodes)
    digest = hashlib.sha256()
    for frame, (_, content) in zip(frames(node for node, _ in listed), listed, strict=True):
        digest.update(frame.head + content + frame.tail)
    return nar_hash(digest.digest())


def _raw(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
