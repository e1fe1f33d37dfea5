"""How layers are compressed: in frames of fixed input size, so that many cores make the same bytes as one.

zstd: independent frames (RFC 8878) that state their content size and carry no checksum, because every
blob is checked against its sha256 anyway. gzip: independent members (RFC 1952, section 2.2) by libdeflate,
without name and time, operating system "unknown". Readers that stop after the first gzip member would
see a truncated layer; Go, zlib and Python, behind every container tool, read them all.

The bytes depend on the libraries' versions, which are therefore pinned exactly and part of the rules.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import NamedTuple

import deflate
import zstandard

from openhands_recipes.model.image import Compression

BLOCK = 4 << 20
"""Bytes of input per frame: enough to lose under 1 % against one frame, small enough for many cores."""
ZSTD_LEVEL = 3
GZIP_LEVEL = 6

Encoder = Callable[[memoryview], bytes]


class Codec(NamedTuple):
    """One way of compressing; `new_encoder` makes one encoder per thread."""

    name: Compression
    library: str
    level: int
    new_encoder: Callable[[], Encoder]


def codec(compression: Compression) -> Codec:
    """The codec used for a compression."""
    match compression:
        case "zstd":
            library = ".".join(map(str, zstandard.ZSTD_VERSION))
            return Codec("zstd", library, ZSTD_LEVEL, _zstd_encoder)
        case "gzip":
            return Codec("gzip", f"deflate {version('deflate')}", GZIP_LEVEL, lambda: _gzip)
        case "none":
            return Codec("none", "", 0, lambda: bytes)


def codec_rules(compression: Compression) -> dict[str, str | int]:
    """Everything that decides compressed bytes, for layer keys and locks: name, library, level, block."""
    chosen = codec(compression)
    return {"name": chosen.name, "library": chosen.library, "level": chosen.level, "block": BLOCK}


def _zstd_encoder() -> Encoder:
    compressor = zstandard.ZstdCompressor(
        level=ZSTD_LEVEL, write_checksum=False, write_content_size=True, threads=0
    )
    return compressor.compress


def _gzip(block: memoryview) -> bytes:
    return bytes(deflate.gzip_compress(block, GZIP_LEVEL))
