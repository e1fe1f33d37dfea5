"""A .deb becomes a fragment: control files apart, data streamed, paths as on a merged-/usr system.

What dpkg would refuse is refused, and so is what no package of Debian may hold: ways out of the root,
entries below the archive's own symbolic links, device nodes (Debian policy 10.6), whiteouts. Nothing
is decided about maintainer scripts here.

Sources: deb(5), deb-control(5); `ar` as described there; dpkg(1) for paths and names of owners.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from openhands_recipes.compile.pack.build import FragmentWriter
from openhands_recipes.compile.pack.tar_read import Member, Readable, TarReader
from openhands_recipes.compile.pack.tree import clean_path, refuse_whiteout
from openhands_recipes.compile.pack.unpack import Section, unpacked
from openhands_recipes.errors import VerificationError
from openhands_recipes.model.fragment import ControlFile, Entry, Fragment, Kind

_AR_MAGIC = b"!<arch>\n"
_AR_END = b"`\n"
_MAX_FORMAT = 1024
_MAX_CONTROL = 64 << 20
MERGED = frozenset({"bin", "sbin", "lib", "lib32", "lib64", "libo32", "libx32"})
"""Top folders that are links into /usr on every supported Debian (Debian policy 10.1, UsrMerge)."""
FIRST_NAMED_OWNER = 100
"""Ids below are the same on every Debian; others are given by the machine (Debian policy 9.2)."""


def deb_to_fragment(source: IO[bytes], sink: IO[bytes], key: str) -> Fragment:
    """Stream a .deb's data into `sink` as fragment bytes; its control files go into the listing.

    Raises:
        VerificationError: the archive is malformed or wants what no package may.
    """
    control: dict[str, ControlFile] | None = None
    fragment: Fragment | None = None
    for name, member in _members(source):
        base, _, suffix = name.partition(".tar")
        if base == "control" and control is None:
            control = _control(unpacked(member, suffix.removeprefix(".")))
        elif base == "data" and control is not None and fragment is None:
            fragment = _data(unpacked(member, suffix.removeprefix(".")), sink, key, control)
        elif not name.startswith("_"):
            raise VerificationError(f"a .deb holds an unexpected member: {name!r}")
    if fragment is None:
        raise VerificationError("a .deb holds no data.tar")
    return fragment


def _members(source: Readable) -> Iterator[tuple[str, Section]]:
    """The members after `debian-binary`; each is skipped to its end before the next one comes."""
    if _exactly(source, len(_AR_MAGIC)) != _AR_MAGIC:
        raise VerificationError("not a .deb: it does not start as an ar archive")
    first = True
    while head := source.read(60):
        head += _exactly(source, 60 - len(head))
        size_field = head[48:58].rstrip(b" ")
        if head[58:] != _AR_END or not size_field.isdigit():
            raise VerificationError("a .deb has a malformed ar header")
        size = int(size_field)
        name = head[:16].rstrip(b" ").removesuffix(b"/").decode("ascii", "replace")
        member = Section(source, size)
        if first:
            if name != "debian-binary" or size > _MAX_FORMAT or not member.read().startswith(b"2."):
                raise VerificationError("not a .deb of format 2")
            first = False
        else:
            yield name, member
        while member.read(1 << 20):
            pass
        if size % 2:
            source.read(1)


def _exactly(source: Readable, size: int) -> bytes:
    return Section(source, size).read()


def _control(stream: Readable) -> dict[str, ControlFile]:
    reader = TarReader(stream, end_required=True)
    files: dict[str, ControlFile] = {}
    total = 0
    for member in reader:
        path = clean_path(member.path)
        total += member.size
        if total > _MAX_CONTROL:
            raise VerificationError(f"a .deb's control archive is larger than {_MAX_CONTROL} bytes")
        if member.kind is Kind.FILE and "/" not in path:
            files[path] = ControlFile(member.mode, b"".join(reader.content()))
        elif path:
            raise VerificationError(f"a .deb's control archive holds more than plain files: {path!r}")
    reader.drain()
    if "control" not in files:
        raise VerificationError("a .deb's control archive has no file `control`")
    return files


def _data(stream: Readable, sink: IO[bytes], key: str, control: dict[str, ControlFile]) -> Fragment:
    reader = TarReader(stream, end_required=True)
    writer = FragmentWriter(sink, key)
    for member in reader:
        path = merged_usr(clean_path(member.path), member.kind)
        if not path:
            continue  # the root folder belongs to nobody
        entry = _entry(member, path)
        if entry.kind is Kind.FILE:
            writer.add_file(entry, reader.content())
            continue
        if entry.kind is Kind.HARDLINK and writer.kind(entry.link) not in {Kind.FILE, Kind.HARDLINK}:
            raise VerificationError(f"a hard link has no file before it: {path!r} to {member.link!r}")
        writer.add(entry)
    reader.drain()
    return writer.finish(control)


def merged_usr(path: str, kind: Kind) -> str:
    """Where a path really lies when /bin, /sbin and /lib* are links into /usr; those links stay.

    Raises:
        VerificationError: it would put something else in the place of such a link.
    """
    top, below, _ = path.partition("/")
    if top not in MERGED:
        return path
    if below or kind is Kind.DIRECTORY:
        return f"usr/{path}"
    if kind is not Kind.SYMLINK:
        raise VerificationError(f"an entry would replace a top folder: {path!r}")
    return path


def _entry(member: Member, path: str) -> Entry:
    refuse_whiteout(path)
    kind, link = member.kind, member.link
    if kind in {Kind.CHAR, Kind.BLOCK}:
        raise VerificationError(f"a package must not hold device nodes: {path!r}")
    if kind is Kind.HARDLINK:
        link = merged_usr(clean_path(link), Kind.FILE)
    elif kind is not Kind.SYMLINK:
        link = ""
    elif not link or "\0" in link:
        raise VerificationError(f"a symbolic link without a target: {path!r}")
    if any(".overlay." in name or not name or "=" in name for name, _ in member.xattrs):
        raise VerificationError(f"an entry has an extended attribute no file may bring: {path!r}")
    named = member.uid >= FIRST_NAMED_OWNER or member.gid >= FIRST_NAMED_OWNER
    return Entry(
        path,
        kind,
        member.mode,
        member.uid,
        member.gid,
        member.size,
        max(member.mtime, 0),
        link,
        member.uname if named else "",
        member.gname if named else "",
        (0, 0),
        member.xattrs,
    )
