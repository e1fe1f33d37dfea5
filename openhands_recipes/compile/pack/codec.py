"""How layers are compressed: in frames of fixed input size, so that many cores make the same bytes as one.

zstd: independent frames (RFC 8878) that state their content size and carry no checksum, because every
blob is checked against its sha256 anyway. gzip: independent members (RFC 1952, section 2.2) by libdeflate,
without name and time, operating system "unknown". Readers that stop after the first gzip member would
see a truncated layer; Go, zlib and Python, behind every container tool, read them all.

The bytes depend on the libraries' versions. Those are therefore pinned exactly, part of the rules, and
checked before the first byte is made: another version is an error, never another digest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from openhands_recipes.errors import OutsideError
from openhands_recipes.model.image import Compression

BLOCK = 4 << 20
"""Bytes of input per frame: enough to lose under 1 % against one frame, small enough for many cores."""

Encoder = Callable[[memoryview], bytes]


class Codec(NamedTuple):
    """One way of compressing; `new_encoder` makes one encoder per thread."""

    name: Compression
    library: str
    """Version of the library whose output this is; deflate's Python package pins its libdeflate."""
    level: int
    new_encoder: Callable[[], Encoder]


def codec_rules(compression: Compression) -> dict[str, str | int]:
    """Everything that decides compressed bytes, for layer keys and locks: name, library, level, block."""
    chosen = codec(compression)
    return {"name": chosen.name, "library": chosen.library, "level": chosen.level, "block": BLOCK}


def codec(compression: Compression) -> Codec:
    """The codec used for a compression; its library is loaded with the first encoder.

    Raises:
        OutsideError: from `new_encoder`, when another version of the library is installed.
    """
    return _CODECS[compression]


def _zstd_encoder() -> Encoder:
    import zstandard  # noqa: PLC0415 - rules are asked for where nothing is packed

    _expect("zstd", ".".join(map(str, zstandard.ZSTD_VERSION)))
    compressor = zstandard.ZstdCompressor(
        level=codec("zstd").level, write_checksum=False, write_content_size=True, threads=0
    )
    return compressor.compress


def _gzip_encoder() -> Encoder:
    from importlib.metadata import version  # noqa: PLC0415 - the same

    import deflate  # noqa: PLC0415 - the same

    _expect("gzip", version("deflate"))
    level = codec("gzip").level
    return lambda block: bytes(deflate.gzip_compress(block, level))


def _expect(compression: Compression, installed: str) -> None:
    wanted = codec(compression).library
    if installed != wanted:
        raise OutsideError(
            f"the {compression} library has version {installed}, but layers are made with {wanted}",
            hint="install openhands-recipes with the versions it asks for: other ones make other digests",
        )


_CODECS: dict[Compression, Codec] = {
    "zstd": Codec("zstd", "1.5.7", 3, _zstd_encoder),
    "gzip": Codec("gzip", "0.9.0", 6, _gzip_encoder),
    "none": Codec("none", "", 0, lambda: bytes),
}
