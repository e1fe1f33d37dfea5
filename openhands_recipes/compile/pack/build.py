"""Writing fragments: entries in, tar bytes and a listing out.

The one place where a fragment's bytes are made, whatever the source.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import IO

from openhands_recipes.compile.pack.tar_write import header, padding
from openhands_recipes.compile.pack.tree import Tree, clean_path
from openhands_recipes.errors import VerificationError
from openhands_recipes.model.fragment import ControlFile, Entry, Fragment, Kind, Span
from openhands_recipes.ports import Content

FolderRule = Callable[[str], Entry]
"""Makes the entry of a folder that something needs but nobody listed."""


def root_folder(path: str) -> Entry:
    """A folder nobody described: root's, open to read, from the first second of the epoch."""
    return Entry(path, Kind.DIRECTORY, 0o755)


class FragmentWriter:
    """Writes one fragment; every path at most once, every folder before what is in it."""

    def __init__(self, sink: IO[bytes], key: str, *, folder: FolderRule = root_folder) -> None:
        self._write = sink.write
        self._key = key
        self._folder = folder
        self._tree = Tree()
        self._entries: list[Entry] = []
        self._lengths: list[int] = []

    def kind(self, path: str) -> Kind | None:
        """What was written at a path."""
        return self._tree.kind(path)

    def add(self, entry: Entry) -> None:
        """Write an entry without content; a folder written before is left as it is.

        Raises:
            VerificationError: the path is taken or lies below something that is no folder.
        """
        if self._admit(entry):
            self._put(entry, header(entry))

    def add_file(self, entry: Entry, chunks: Iterable[bytes]) -> Entry:
        """Write a regular file; returns the entry with the sha256 of what was written.

        Raises:
            VerificationError: as for `add`, or the content is not `entry.size` bytes long.
        """
        self._admit(entry)
        block = header(entry)
        digest = hashlib.sha256()
        written = 0
        self._write(block)
        for chunk in chunks:
            digest.update(chunk)
            written += len(chunk)
            self._write(chunk)
        if written != entry.size:
            raise VerificationError(f"a file has {written} bytes instead of {entry.size}: {entry.path!r}")
        fill = padding(written)
        self._write(fill)
        entry = Entry(*entry[:-1], digest.hexdigest())  # a fifth of what `_replace` takes
        self._entries.append(entry)
        self._lengths.append(len(block) + written + len(fill))
        return entry

    def finish(self, control: dict[str, ControlFile] | None = None) -> Fragment:
        """The listing of all that was written."""
        ends = list(accumulate(self._lengths, initial=0))
        spans = tuple(map(Span, ends, self._lengths))
        return Fragment(self._key, tuple(self._entries), spans, ends[-1], control or {})

    def _admit(self, entry: Entry) -> bool:
        for parent in self._tree.missing_parents(entry.path):
            self._tree.add(parent, Kind.DIRECTORY)
            folder = self._folder(parent)
            self._put(folder, header(folder))
        return self._tree.add(entry.path, entry.kind)

    def _put(self, entry: Entry, block: bytes) -> None:
        self._write(block)
        self._entries.append(entry)
        self._lengths.append(len(block))


def build_fragment(entries: Iterable[tuple[Entry, Content]], sink: IO[bytes], key: str) -> Fragment:
    """A fragment of entries we made or captured; missing parent folders are added (root, 0755).

    Bytes decide a file's size themselves; a callable must give the `size` its entry promises.

    Raises:
        VerificationError: a path is unclean, used twice or below no folder, or content changed its size.
    """
    writer = FragmentWriter(sink, key)
    for entry, content in entries:
        if clean_path(entry.path) != entry.path:
            raise VerificationError(f"a path is not in its plain form: {entry.path!r}")
        if entry.kind is not Kind.FILE:
            writer.add(entry)
        elif callable(content):
            writer.add_file(entry, content())
        else:
            raw = content or b""
            writer.add_file(entry._replace(size=len(raw)), (raw,))
    return writer.finish()
