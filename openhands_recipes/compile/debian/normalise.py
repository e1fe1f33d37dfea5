"""What configuration changed, made the same on every machine and every day.

Logs, caches and backups go; times become the lock's; files that were only touched are not changes; compiled
Python is marked unchecked (PEP 552); Java keystores lose the time of their making.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from openhands_recipes.compile import java_keystore
from openhands_recipes.model.fragment import Entry, Kind

Reader = Callable[[], Iterator[bytes]]
Change = tuple[Entry, Reader | None]

_TRANSIENT = re.compile(
    r"^(?:dev|proc|sys|tmp|var/tmp)/."
    r"|^(?:\.dockerenv|etc/\.pwd\.lock|root/\.bash_history)$"
    # Backups written beside account files, the dpkg database and debconf's.
    r"|^etc/(?:passwd|shadow|group|gshadow|subuid|subgid)-$"
    r"|^var/(?:lib/dpkg|cache/debconf)/.*-old$"
    # Locks and leftovers of package tools.
    r"|^var/lib/dpkg/(?:lock|lock-frontend|triggers/Lock)$|^var/lib/apt/lists/."
    r"|^var/lib/systemd/(?:random-seed|credential\.secret)$"
)
_CACHE = re.compile(
    r"^var/cache/(?!debconf/)."
)  # debconf keeps its answers under var/cache; they are no cache
_LOG = re.compile(r"^var/log/.")
_RUN = re.compile(
    r"^run/."
)  # its folders are part of a system (/var/lock leads to /run/lock), its files are not
_OPAQUE = ("user.overlay.opaque", "trusted.overlay.opaque")
_PYC_CHECKED = 0b11
_PYC_UNCHECKED = 0b01


def normalise(
    changes: Iterable[Change], below: Mapping[str, Entry], *, epoch: int
) -> list[tuple[Entry, bytes]]:
    """The lasting part of some changes, sorted by path, every time set to `epoch`.

    Removed paths become OCI whiteouts (image-spec, layer.md). Folders stay only where something below
    them stays or their owner or mode changed.
    """
    kept: dict[str, tuple[Entry, bytes]] = {}
    for entry, reader in changes:
        if _is_transient(entry):
            continue
        for one, content in _lasting(entry, reader, below, epoch):
            kept[one.path] = (one, content)
    lasting = {
        path: (entry, content)
        for path, (entry, content) in kept.items()
        if entry.kind is not Kind.DIRECTORY or not _same(entry, below.get(path))
    }
    needed = {parent for path in lasting for parent in _parents(path)}
    return [kept[path] for path in sorted(kept) if path in lasting or path in needed]


def _is_transient(entry: Entry) -> bool:
    if _TRANSIENT.search(entry.path) or (entry.kind is not Kind.DIRECTORY and _RUN.search(entry.path)):
        return True
    return entry.kind is Kind.FILE and (
        bool(_CACHE.search(entry.path)) or (bool(_LOG.search(entry.path)) and entry.size > 0)
    )


def _lasting(
    entry: Entry, reader: Reader | None, below: Mapping[str, Entry], epoch: int
) -> Iterator[tuple[Entry, bytes]]:
    folder, _, name = entry.path.rpartition("/")
    prefix = f"{folder}/" if folder else ""
    if entry.kind is Kind.CHAR and entry.device == (0, 0):
        if entry.path in below:
            yield Entry(f"{prefix}.wh.{name}", Kind.FILE, 0o644, mtime=epoch), b""
        return
    opaque = any(key in _OPAQUE for key, _ in entry.xattrs)
    lasting = tuple(x for x in entry.xattrs if not x[0].startswith(("user.overlay", "trusted.overlay")))
    clean = entry._replace(mtime=epoch, xattrs=lasting)
    if opaque and entry.path in below:
        yield Entry(f"{entry.path}/.wh..wh..opq", Kind.FILE, 0o644, mtime=epoch), b""
    if clean.kind is not Kind.FILE or reader is None:
        if clean.kind is Kind.DIRECTORY or not _same(clean, below.get(entry.path)):
            yield clean, b""
        return
    content = _settled(entry.path, b"".join(reader()), epoch)
    clean = clean._replace(size=len(content), sha256=hashlib.sha256(content).hexdigest())
    if not _same(clean, below.get(entry.path)):
        yield clean, content


def _settled(path: str, content: bytes, epoch: int) -> bytes:
    """Content without the traces of when it was made."""
    if path.endswith(".pyc") and int.from_bytes(content[4:8], "little") == _PYC_CHECKED:
        return content[:4] + _PYC_UNCHECKED.to_bytes(4, "little") + content[8:]
    if java_keystore.is_keystore(content):
        return java_keystore.normalise(content, epoch=epoch)
    return content


def _same(entry: Entry, other: Entry | None) -> bool:
    """Equal in everything but time."""
    if other is None:
        return False
    plain, known = (one._replace(mtime=0, uname="", gname="") for one in (entry, other))
    if entry.kind is Kind.DIRECTORY:
        plain, known = (one._replace(size=0, sha256="") for one in (plain, known))
    return plain == known


def _parents(path: str) -> Iterator[str]:
    while path:
        path = path.rpartition("/")[0]
        yield path
