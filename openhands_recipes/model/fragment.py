"""Fragments: one part's files as layer-ready tar bytes, with a listing that can be reasoned about.

Every source (a .deb, a wheel, an npm tarball, a store path) is turned into a fragment once; layers,
configuration, contract checks and tree comparison all read the same listing.
"""

from __future__ import annotations

import enum
from typing import NamedTuple


class Kind(enum.StrEnum):
    """What a path is; the values are ustar type flags (POSIX.1-2017, pax, "ustar Interchange Format")."""

    FILE = "0"
    HARDLINK = "1"
    SYMLINK = "2"
    CHAR = "3"
    BLOCK = "4"
    DIRECTORY = "5"
    FIFO = "6"


class Entry(NamedTuple):
    """One path of an image.

    `path` is relative, without a leading `./` or trailing slash; the root itself is `""`.
    `mode` holds the twelve permission bits, `mtime` whole seconds since the epoch, `link` the target of a
    symbolic link as written or of a hard link as a path like `path`. `uname`/`gname` are only set while
    an owner is still a name.
    """

    path: str
    kind: Kind
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: int = 0
    link: str = ""
    uname: str = ""
    gname: str = ""
    device: tuple[int, int] = (0, 0)
    xattrs: tuple[tuple[str, bytes], ...] = ()
    """Sorted by name."""
    sha256: str = ""
    """Of the content, for regular files whose bytes have been seen."""


class ControlFile(NamedTuple):
    """One member of a .deb's control archive: `control`, `preinst`, `conffiles`, ..."""

    mode: int
    content: bytes


class Span(NamedTuple):
    """Where one entry's headers, content and padding stand in the fragment's tar bytes."""

    offset: int
    length: int


class Fragment(NamedTuple):
    """The listing of a fragment; its bytes are read through the `Fragments` port.

    `entries[i]` stands at `spans[i]`. Every folder an entry needs is listed before it. There is no
    end-of-archive marker, so that fragments can be concatenated span by span.
    """

    key: str
    entries: tuple[Entry, ...]
    spans: tuple[Span, ...]
    size: int
    control: dict[str, ControlFile]
    """Only for .debs."""
