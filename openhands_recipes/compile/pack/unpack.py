"""The compressed members of .debs and npm's tarballs, as streams of plain bytes with bounded memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Mapping
from typing import IO, Protocol, cast

import zstandard

from openhands_recipes.compile.pack.tar_read import Readable
from openhands_recipes.errors import VerificationError

CHUNK = 128 * 1024
XZ_MEMORY = 192 << 20
"""Most memory an xz stream may ask for: `xz -9` needs 65 MiB, a hostile header could ask for 4 GiB."""
ZSTD_WINDOW = 128 << 20
"""Largest window taken; `zstd` without `--ultra --long` never asks for more."""

_FAULTS = (lzma.LZMAError, zlib.error, gzip.BadGzipFile, EOFError, zstandard.ZstdError)


class _Decompressor(Protocol):
    """What `lzma` and `bz2` have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes: ...


class _OneStream:
    """Exactly one xz or bzip2 stream: what stops early or goes on after its end is an error."""

    def __init__(self, source: Readable, decompressor: _Decompressor) -> None:
        self._source = source
        self._decompressor = decompressor

    def read(self, size: int, /) -> bytes:
        while not self._decompressor.eof:
            fresh = b""
            if self._decompressor.needs_input and not (fresh := self._source.read(CHUNK)):
                raise EOFError("compressed data is cut short")
            try:
                piece = self._decompressor.decompress(fresh, size)
            except OSError as error:  # what bz2 says to malformed data
                raise EOFError(str(error)) from error
            if piece:
                return piece
        if self._decompressor.unused_data or self._source.read(1):
            raise EOFError("there are bytes after the end of the compressed data")
        return b""


class _Checked:
    """Says of every fault of a compressed stream that it is a fault of the data."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        try:
            return self._stream.read(size)
        except _FAULTS as error:
            raise VerificationError(f"compressed data is damaged: {error}") from error


def _gzip(source: Readable) -> Readable:
    return gzip.GzipFile(fileobj=cast("IO[bytes]", source), mode="rb")


def _zstd(source: Readable) -> Readable:
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
    return decompressor.stream_reader(cast("IO[bytes]", source), CHUNK, read_across_frames=True)


_OPENERS: Mapping[str, Callable[[Readable], Readable]] = {
    "": lambda source: source,
    "gz": _gzip,
    "bz2": lambda source: _OneStream(source, bz2.BZ2Decompressor()),
    "xz": lambda source: _OneStream(source, lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)),
    "lzma": lambda source: _OneStream(source, lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=XZ_MEMORY)),
    "zst": _zstd,
}


def unpacked(source: Readable, suffix: str) -> Readable:
    """The plain bytes of a stream compressed as its name's suffix says; reading it may raise.

    Raises:
        VerificationError: nobody knows this suffix; and, from `read`, damaged or oversized data.
    """
    opener = _OPENERS.get(suffix)
    if opener is None:
        raise VerificationError(f"an archive is compressed in an unknown way: {suffix!r}")
    return _Checked(opener(source))


class Section(io.RawIOBase):
    """The next `size` bytes of a stream, as a stream of their own.

    Raises:
        VerificationError: from `read`, when the stream ends before them.
    """

    def __init__(self, source: Readable, size: int) -> None:
        super().__init__()
        self._source = source
        self._left = size

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, all that is left when it is negative."""
        wanted = self._left if size < 0 else min(size, self._left)
        parts = []
        while wanted:
            piece = self._source.read(wanted)
            if not piece:
                raise VerificationError("an archive is cut short")
            self._left -= len(piece)
            wanted -= len(piece)
            parts.append(piece)
        return parts[0] if len(parts) == 1 else b"".join(parts)
