"""What is in a tree of a Nix store, and its fragment's bytes straight from its files.

Headers are made again from the listing, contents are read where they are: a store path is never copied
into the cache. Every byte on its way into a layer also goes into the hash of the path's Nix archive. Who
reads a tree to its end has proved it, or gets an error instead of the last byte.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from openhands_recipes.errors import OutsideError, RecipesError, VerificationError
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.fragment import Entry, Fragment, Kind
from openhands_recipes.ports.store_trees import Frame, Node, StoreTree

SMALL = 64 << 10
"""Files up to this size are read and hashed in one go."""
READ_BYTES = 256 << 10
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_BATCH = 256 << 10


@dataclass(frozen=True)
class StoreSteps:
    """The pure steps this door runs; handed in, because doors never import them."""

    fragment: Callable[[Digest, str, Sequence[Node]], Fragment]
    frames: Callable[[Iterable[Node]], Iterator[Frame]]
    nar_hash: Callable[[bytes], str]
    header: Callable[[Entry], bytes]
    padding: Callable[[int], bytes]
    linked: int
    """Files from this size on are looked at for having the same content."""


class Listing(NamedTuple):
    """A tree as a fragment and as its archive; the fragment's last entries belong to the nodes."""

    tree: StoreTree
    fragment: Fragment
    nodes: tuple[Node, ...]


def list_tree(tree: StoreTree, steps: StoreSteps) -> Listing:
    """What a tree holds; reads no file but those that may be the same as another one.

    Raises:
        VerificationError: it holds what no store path may.
        OutsideError: it cannot be read.
    """
    try:
        nodes = tuple(_marked(tree.folder, list(_walk(tree)), steps.linked))
        return Listing(tree, steps.fragment(tree.key, tree.path, nodes), nodes)
    except OSError as error:
        raise unreadable(tree, error) from error
    except VerificationError as error:
        raise VerificationError(error.message, where=error.where or tree.path, hint=error.hint) from error


def _walk(tree: StoreTree) -> Iterator[tuple[Node, tuple[int, int]]]:
    """Every node with its device and inode, in the order of the archive."""
    waiting = [("", str(tree.folder), os.lstat(tree.folder))]
    while waiting:
        path, place, found = waiting.pop()
        same = (found.st_dev, found.st_ino)
        if stat.S_ISREG(found.st_mode):
            program = bool(found.st_mode & stat.S_IXUSR)
            yield Node(path, Kind.FILE, program, found.st_size), same
        elif stat.S_ISLNK(found.st_mode):
            yield Node(path, Kind.SYMLINK, link=os.readlink(place)), same  # noqa: PTH115 - a Path would tidy it
        elif stat.S_ISDIR(found.st_mode):
            yield Node(path, Kind.DIRECTORY), same
            below = f"{path}/" if path else ""
            with os.scandir(place) as entries:
                inside = sorted(entries, key=lambda entry: os.fsencode(entry.name), reverse=True)
            waiting += [(below + e.name, e.path, e.stat(follow_symlinks=False)) for e in inside]
        else:
            raise VerificationError(
                f"a store path holds something that is no file, folder or link: {path!r}", where=tree.path
            )


def _marked(folder: Path, found: Sequence[tuple[Node, tuple[int, int]]], least: int) -> Iterator[Node]:
    """The nodes; files that may have the same content as another one with its sha256."""
    alike: dict[tuple[int, bool], int] = defaultdict(int)
    for node, _ in found:
        if node.kind is Kind.FILE and node.size >= least:
            alike[node.size, node.executable] += 1
    known: dict[tuple[int, int], str] = {}
    for node, inode in found:
        if alike.get((node.size, node.executable), 0) > 1 and node.kind is Kind.FILE:
            if inode not in known:
                with (folder / node.path).open("rb") as file:
                    known[inode] = hashlib.file_digest(file, "sha256").hexdigest()
            yield node._replace(sha256=known[inode])
        else:
            yield node


class Passage:
    """One way through a tree's fragment, from its first byte to its last."""

    def __init__(self, listing: Listing, steps: StoreSteps) -> None:
        self._listing = listing
        self._steps = steps
        self._pieces = self._read()
        self._rest: memoryview = memoryview(b"")
        self._buffer = memoryview(bytearray(READ_BYTES))
        self.position = 0

    def skip_to(self, offset: int) -> None:
        """Go on to an offset."""
        while self.position < offset:
            self._next(offset - self.position)

    def read_into(self, into: memoryview) -> None:
        """Fill a buffer with what comes next; with the fragment's last byte comes its proof.

        Raises:
            VerificationError: the tree is not what its hash promises.
            OutsideError: it cannot be read.
        """
        filled = 0
        while filled < len(into):
            piece = self._next(len(into) - filled)
            into[filled : filled + len(piece)] = piece
            filled += len(piece)
        if self.position == self._listing.fragment.size:
            next(self._pieces, None)

    def finish(self) -> None:
        """Read on to the end, for its proof."""
        self.skip_to(self._listing.fragment.size)
        next(self._pieces, None)

    def _next(self, most: int) -> memoryview:
        while not self._rest:
            self._rest = memoryview(next(self._pieces))
        piece, self._rest = self._rest[:most], self._rest[most:]
        self.position += len(piece)
        return piece

    def _read(self) -> Iterator[bytes | memoryview]:
        """The fragment's bytes; each piece is to be used before the next one is taken."""
        tree, fragment, nodes = self._listing
        header, above = self._steps.header, len(fragment.entries) - len(nodes)
        digest = _Batched()
        yield b"".join(map(header, fragment.entries[:above]))
        for node, entry, frame in zip(
            nodes, fragment.entries[above:], self._steps.frames(nodes), strict=True
        ):
            digest.add(frame.head)
            if node.kind is not Kind.FILE:
                yield header(entry)
            elif entry.kind is Kind.FILE:
                yield from self._file(node, header(entry), digest)
            else:
                for piece in _content(tree, node, self._buffer):
                    digest.add(piece)
                yield header(entry)
            digest.add(frame.tail)
        found = self._steps.nar_hash(digest.finish())
        if found != tree.nar_hash:
            raise _damaged(tree, found)

    def _file(self, node: Node, head: bytes, digest: _Batched) -> Iterator[bytes | memoryview]:
        if node.size <= SMALL:
            content = b"".join(map(bytes, _content(self._listing.tree, node, self._buffer)))
            digest.add(content)
            yield head + content + self._steps.padding(node.size)
            return
        yield head
        for piece in _content(self._listing.tree, node, self._buffer):
            digest.add(piece)
            yield piece
        yield self._steps.padding(node.size)


class _Batched:
    """A sha256 that is not bothered with every few bytes."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._waiting = bytearray()

    def add(self, piece: bytes | memoryview) -> None:
        if len(piece) > SMALL:
            self._flush()
            self._hash.update(piece)
            return
        self._waiting += piece
        if len(self._waiting) > _BATCH:
            self._flush()

    def finish(self) -> bytes:
        self._flush()
        return self._hash.digest()

    def _flush(self) -> None:
        self._hash.update(self._waiting)
        self._waiting.clear()


def _content(tree: StoreTree, node: Node, buffer: memoryview) -> Iterator[memoryview]:
    """Exactly as many bytes of a file as were listed, of the content that was listed; in one buffer."""
    check = hashlib.sha256() if node.sha256 else None
    left = node.size
    try:
        descriptor = os.open(tree.folder / node.path, _FLAGS)
        try:
            while left:
                count = os.readv(descriptor, [buffer[:left]])
                if count == 0:
                    raise _changed(tree, node)
                left -= count
                if check is not None:
                    check.update(buffer[:count])
                yield buffer[:count]
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(tree, error) from error
    if check is not None and check.hexdigest() != node.sha256:
        raise _changed(tree, node)


def _damaged(tree: StoreTree, found: str) -> VerificationError:
    return VerificationError(
        f"a store path is not what its hash promises: expected {tree.nar_hash}, found {found}",
        where=tree.path,
        hint=f"repair it with `nix-store --repair-path {tree.path}`, then build again",
    )


def _changed(tree: StoreTree, node: Node) -> VerificationError:
    return VerificationError(
        f"a file of a store path changed while it was read: {node.path!r}",
        where=tree.path,
        hint=f"repair it with `nix-store --repair-path {tree.path}`, then build again",
    )


def unreadable(tree: StoreTree, error: OSError) -> RecipesError:
    """What to say about a tree that cannot be read."""
    return OutsideError(
        f"a store path cannot be read ({error.strerror or error}): {error.filename or tree.folder}",
        where=tree.path,
        hint="was it collected as garbage meanwhile? Build again",
    )
