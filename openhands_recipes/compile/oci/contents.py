"""What an image contains, read from its layers as a runtime would stack them (image-spec, layer.md)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial

from openhands_recipes.compile.pack.tar_read import Member, Readable, TarReader
from openhands_recipes.model.fragment import Entry, Fragment, Kind

_SMALL = 4 << 20


def _entry(path: str, member: Member) -> Entry:
    return Entry(
        path,
        member.kind,
        member.mode,
        member.uid,
        member.gid,
        member.size,
        member.mtime,
        member.link,
        device=member.device,
        xattrs=member.xattrs,
    )


class Stacked:
    """Paths of all layers read so far; the content of a few wanted files is kept."""

    def __init__(self, wanted: Collection[str]) -> None:
        self.paths: dict[str, Entry] = {}
        self._wanted = frozenset(wanted)
        self._kept: dict[str, bytes] = {}

    def add_layer(self, stream: Readable) -> None:
        """Put one layer's tar on top.

        Raises:
            VerificationError: the tar is malformed.
        """
        reader = TarReader(stream)
        for member in reader:
            path = member.path.removeprefix("./").strip("/")
            self._add(_entry(path, member), lambda: b"".join(reader.content()))

    def add_listing(self, fragments: Iterable[Fragment], read: Callable[[Fragment, int], bytes]) -> None:
        """Put a layer on top by the listings of the fragments it was packed from.

        `read` gives the content of a fragment's entry by its index.
        """
        folders: set[str] = set()
        for fragment in fragments:
            for index, entry in enumerate(fragment.entries):
                if entry.kind is Kind.DIRECTORY:
                    if entry.path in folders:
                        continue  # of folders named more than once in a layer the first one is packed
                    folders.add(entry.path)
                self._add(entry, partial(read, fragment, index))

    def _add(self, entry: Entry, read: Callable[[], bytes]) -> None:
        folder, _, name = entry.path.rpartition("/")
        if name == ".wh..wh..opq":
            self._drop_below(folder)
        elif name.startswith(".wh."):
            gone = f"{folder}/{name[4:]}".lstrip("/")
            self.paths.pop(gone, None)
            self._drop_below(gone)
        elif entry.path:
            self.paths[entry.path] = entry
            if entry.kind is Kind.FILE and entry.size <= _SMALL and self._is_wanted(entry.path):
                self._kept[entry.path] = read()

    def _is_wanted(self, path: str) -> bool:
        return path in self._wanted or any(w.endswith("/") and path.startswith(w) for w in self._wanted)

    def _drop_below(self, folder: str) -> None:
        for path in [p for p in self.paths if p.startswith(f"{folder}/")]:
            del self.paths[path]

    def read(self, path: str) -> bytes:
        """A wanted file's content; empty for others."""
        return self._kept.get(path, b"")
