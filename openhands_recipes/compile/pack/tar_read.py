"""Reading foreign tar archives as a stream: V7, ustar, GNU and pax.

Written by hand for speed (`tarfile` reads some 4,000 members a second) and for its refusals: whatever
is malformed is a `VerificationError`, and nothing is ever guessed. Sparse files and volumes of a
multi-volume archive are refused.

Sources: POSIX.1-2017, pax; GNU tar manual, "Basic Tar Format" and "Storing Sparse Files".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from openhands_recipes.compile.pack.tar_write import BLOCK, byte_sum
from openhands_recipes.errors import VerificationError
from openhands_recipes.model.fragment import Kind

CHUNK = 256 * 1024
MAX_EXTENDED = 1 << 20
"""Longest pax header or GNU long name taken: PATH_MAX and the kernel's xattr limits stay far below."""

_FIELDS = struct.Struct("100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12x")
_ZERO = bytes(BLOCK)
_KINDS = {str(kind).encode(): kind for kind in Kind} | {b"\0": Kind.FILE, b"7": Kind.FILE}
_BLANK_SUM = 8 * ord(" ")
_XATTR = "SCHILY.xattr."

Extended = dict[str, bytes]


class Readable(Protocol):
    """Anything that gives bytes; short reads are fine, an empty one is the end."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes."""


class Member(NamedTuple):
    """One member as the archive tells it; names are raw: neither cleaned nor trusted."""

    path: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    link: str
    uname: str
    gname: str
    device: tuple[int, int]
    xattrs: tuple[tuple[str, bytes], ...]


class TarReader:
    """Iterates over the members of an archive; `content()` gives the bytes of the latest one.

    With `end_required`, an archive that just stops without its end mark is refused.

    Raises:
        VerificationError: from iteration and `content()`, when the archive is malformed.
    """

    def __init__(self, stream: Readable, *, end_required: bool = False) -> None:
        self._stream = stream
        self._end_required = end_required
        self._buffer = b""
        self._position = 0
        self._content = 0
        self._padding = 0
        self._global: Extended = {}

    def __iter__(self) -> Iterator[Member]:
        extended: Extended = {}
        while (block := self._next_block()) is not None:
            fields = _FIELDS.unpack(block)
            _check(block, fields[6])
            flag = fields[7]
            if (kind := _KINDS.get(flag)) is not None:
                member = _member(fields, kind, {**self._global, **extended} if extended else self._global)
                extended = {}
                self._content = member.size
                self._padding = -member.size % BLOCK
                yield member
            else:
                self._extension(flag, _number(fields[4]), extended)
        if extended:
            raise VerificationError("an archive ends after an extended header")

    def content(self) -> Iterator[bytes]:
        """The current member's bytes, in pieces; what is not taken is skipped."""
        while self._content:
            if self._position == len(self._buffer):
                self._fill(1)
            piece = self._buffer[self._position : self._position + self._content]
            self._position += len(piece)
            self._content -= len(piece)
            yield piece

    def drain(self) -> None:
        """Read on to the end of the stream, so that whatever unpacks it can check its sums."""
        while self._stream.read(CHUNK):
            pass

    def _next_block(self) -> bytes | None:
        self._skip()
        if self._position + BLOCK > len(self._buffer) and not self._fill(BLOCK, end_allowed=True):
            if self._end_required:
                raise VerificationError("an archive stops without its end mark")
            return None
        block = self._buffer[self._position : self._position + BLOCK]
        self._position += BLOCK
        return None if block == _ZERO else block

    def _skip(self) -> None:
        left = self._content + self._padding
        while left:
            if self._position == len(self._buffer):
                self._fill(1)
            step = min(left, len(self._buffer) - self._position)
            self._position += step
            left -= step
        self._content = self._padding = 0

    def _fill(self, wanted: int, *, end_allowed: bool = False) -> bool:
        """Have `wanted` bytes in the buffer; False at a clean end."""
        parts = [self._buffer[self._position :]]
        have = len(parts[0])
        while have < wanted:
            piece = self._stream.read(CHUNK)
            if not piece:
                if have == 0 and end_allowed:
                    return False
                raise VerificationError("an archive is cut short")
            parts.append(piece)
            have += len(piece)
        self._buffer = b"".join(parts)
        self._position = 0
        return True

    def _extension(self, flag: bytes, size: int, extended: Extended) -> None:
        if flag not in b"xXgLK":
            what = "a sparse file" if flag == b"S" else f"a member of type {flag!r}"
            raise VerificationError(f"an archive holds {what}, which is not supported")
        if size > MAX_EXTENDED:
            raise VerificationError(f"an archive has an extended header of {size} bytes")
        self._content, self._padding = size, -size % BLOCK
        body = b"".join(self.content())
        if flag == b"g":
            self._global = self._global | _pax(body)
        elif flag in b"xX":
            extended.update(_pax(body))
        else:
            extended["path" if flag == b"L" else "linkpath"] = body.rstrip(b"\0")


def _check(block: bytes, field: bytes) -> None:
    stated = _number(field)
    actual = byte_sum(block) - byte_sum(field) + _BLANK_SUM
    if stated != actual and stated != actual - 256 * sum(byte > 127 for byte in block):  # Sun's signed sums
        raise VerificationError("an archive has a header with a wrong checksum")


def _number(field: bytes) -> int:
    """Octal digits, or base 256 where the first bit is set (GNU tar)."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=True) if field[0] & 0x40 else int.from_bytes(field, "big")
        return value if field[0] & 0x40 else value - (0x80 << 8 * (len(field) - 1))
    digits = field.partition(b"\0")[0].strip(b" ") or b"0"
    if digits.translate(None, b"01234567"):
        raise VerificationError(f"an archive has a header with a bad number: {field!r}")
    return int(digits, 8)


def _pax(body: bytes) -> Extended:
    """Records of `<length> <key>=<value>` and a newline, one after another."""
    found: Extended = {}
    position = 0
    while position < len(body):
        length, space, _ = body[position : position + 20].partition(b" ")
        end = position + int(length) if space and length.isdigit() and len(length) < 9 else 0
        record = body[position + len(length) + 1 : end - 1]
        key, equals, value = record.partition(b"=")
        if not position < end <= len(body) or not equals or body[end - 1] != ord("\n"):
            raise VerificationError("an archive has a malformed pax header")
        found[key.decode("utf-8", "surrogateescape")] = value
        position = end
    if any(key.startswith("GNU.sparse.") for key in found):
        raise VerificationError("an archive holds a sparse file, which is not supported")
    return found


def _member(fields: tuple[bytes, ...], kind: Kind, extended: Extended) -> Member:
    name, mode, uid, gid, size, mtime, _, flag, link, magic, uname, gname, major, minor, prefix = fields
    path = name.partition(b"\0")[0]
    if magic == b"ustar\x0000" and prefix[0]:
        path = prefix.partition(b"\0")[0] + b"/" + path
    link = link.partition(b"\0")[0]
    numbers = (_number(uid), _number(gid), _number(size), _number(mtime))
    names = (uname.partition(b"\0")[0], gname.partition(b"\0")[0])
    xattrs: tuple[tuple[str, bytes], ...] = ()
    if extended:
        path, link = extended.get("path") or path, extended.get("linkpath") or link
        numbers = _override(extended, numbers)
        names = (extended.get("uname", names[0]), extended.get("gname", names[1]))
        xattrs = tuple(
            sorted((key[len(_XATTR) :], value) for key, value in extended.items() if key.startswith(_XATTR))
        )
    if flag == b"\0" and path.endswith(b"/"):
        kind = Kind.DIRECTORY
    if min(numbers[:3]) < 0:
        raise VerificationError("an archive has a header with a negative number")
    return Member(
        _text(path), kind, _number(mode) & 0o7777, numbers[0], numbers[1],
        numbers[2] if kind is Kind.FILE else 0, numbers[3], _text(link), _text(names[0]), _text(names[1]),
        (_number(major), _number(minor)) if kind in {Kind.CHAR, Kind.BLOCK} else (0, 0), xattrs,
    )  # fmt: skip


def _override(extended: Extended, numbers: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Numbers as a pax header corrects them; fractions of a second are cut off."""
    found = list(numbers)
    for index, key in enumerate(("uid", "gid", "size", "mtime")):
        if value := extended.get(key):
            whole, dot, fraction = value.partition(b".")
            digits = whole.removeprefix(b"-") if key == "mtime" else whole
            if not digits.isdigit() or len(digits) > 20 or (dot and key != "mtime"):
                raise VerificationError(f"an archive has a pax header with a bad {key}: {value[:40]!r}")
            found[index] = int(whole) - (whole.startswith(b"-") and fraction.strip(b"0") != b"")
    return found[0], found[1], found[2], found[3]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
