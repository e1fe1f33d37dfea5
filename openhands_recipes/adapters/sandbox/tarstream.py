"""Reads the tar format our own layers have: ustar with PAX headers (POSIX.1-2017, pax, "Interchange Format").

The standard library's reader knows every dialect and takes four times as long. This one refuses what it does
not know, and reads streams laid end to end, with or without their end-of-archive blocks.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

BLOCK = 512
_ZEROS = bytes(BLOCK)
_XATTR = b"SCHILY.xattr."
_OLD_FILE = b"\0"


class MalformedTarError(ValueError):
    """The bytes are not a tar stream we understand, or want what no layer may have."""


class Member:
    """One header: what to make, before its content. Paths are bytes, relative, without `..`."""

    __slots__ = ("device", "gid", "kind", "link", "mode", "mtime", "path", "size", "uid", "xattrs")

    path: bytes
    kind: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    link: bytes
    device: tuple[int, int]
    xattrs: dict[str, bytes]


def members(stream: IO[bytes]) -> Iterator[Member]:
    """Every member in order; the caller reads a member's content (`content`) before asking for the next.

    Raises:
        MalformedTarError: bad checksum, unknown type, a path that leads out, or the end in the middle.
    """
    records: dict[bytes, bytes] = {}
    while header := stream.read(BLOCK):
        if header == _ZEROS:
            continue
        if len(header) < BLOCK:
            raise MalformedTarError("the stream ends inside a header")
        if sum(header) - sum(header[148:156]) + 256 != _number(header[148:156]):
            raise MalformedTarError("a header's checksum is wrong")
        kind = header[156:157]
        if kind in b"xg":
            text = exactly(stream, _number(header[124:136]))
            if kind == b"x":
                records = _pax_records(text)
            continue
        yield _member(header, kind, records)
        if records:
            records = {}


def content(stream: IO[bytes], size: int) -> Iterator[bytes]:
    """A member's content in pieces, and the padding behind it consumed."""
    left = size
    while left:
        piece = stream.read(min(left, 1 << 20))
        if not piece:
            raise MalformedTarError("the stream ends inside a file")
        left -= len(piece)
        yield piece
    if size % BLOCK:
        stream.read(BLOCK - size % BLOCK)


def exactly(stream: IO[bytes], size: int) -> bytes:
    """A small content at once."""
    return b"".join(content(stream, size))


def _member(header: bytes, kind: bytes, records: dict[bytes, bytes]) -> Member:
    member = Member()
    path, link = _text(header[0:100]), _text(header[157:257])
    if header[345] and header[257:262] == b"ustar":
        path = _text(header[345:500]) + b"/" + path
    member.kind = b"0" if kind == _OLD_FILE else kind
    member.mode = _number(header[100:108]) & 0o7777
    member.uid, member.gid = _number(header[108:116]), _number(header[116:124])
    member.size = _number(header[124:136])
    member.mtime = _number(header[136:148])
    member.device = (_number(header[329:337]), _number(header[337:345])) if kind in b"34" else (0, 0)
    member.xattrs = {}
    for key, value in records.items():
        if key == b"path":
            path = value
        elif key == b"linkpath":
            link = value
        elif key in (b"uid", b"gid", b"size"):
            setattr(member, key.decode(), int(value))
        elif key == b"mtime":
            member.mtime = int(value.partition(b".")[0])
        elif key.startswith(_XATTR):
            member.xattrs[key[len(_XATTR) :].decode(errors="surrogateescape")] = value
    if member.kind not in b"01":
        member.size = 0
    member.path = _relative(path)
    member.link = _relative(link) if kind == b"1" else link
    return member


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes) -> int:
    if field[0] & 0x80:  # GNU's base-256, for sizes and ids that octal digits cannot hold
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    try:
        return int(field.strip(b"\0 ") or b"0", 8)
    except ValueError:
        raise MalformedTarError(f"not an octal number: {field!r}") from None


def _relative(path: bytes) -> bytes:
    if path.startswith((b"./", b"/")) or path.endswith(b"/") or b"//" in path or b"/./" in path:
        path = b"/".join(part for part in path.split(b"/") if part not in (b"", b"."))
    if path == b".":
        return b""
    if b".." in path and b".." in path.split(b"/"):
        raise MalformedTarError(f"a path leads out of the root: {path!r}")
    return path


def _pax_records(text: bytes) -> dict[bytes, bytes]:
    records = {}
    position = 0
    while position < len(text):
        space = text.find(b" ", position)
        try:
            length = int(text[position:space])
        except ValueError:
            raise MalformedTarError("a PAX record has no length") from None
        key, equals, value = text[space + 1 : position + length - 1].partition(b"=")
        if not equals or length <= 0:
            raise MalformedTarError("a PAX record is broken")
        records[key] = value
        position += length
    return records
