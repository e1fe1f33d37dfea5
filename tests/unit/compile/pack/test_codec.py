from __future__ import annotations

import gzip
import hashlib

import pytest
import zstandard

from openhands_recipes.compile.pack import codec as module
from openhands_recipes.compile.pack.codec import BLOCK, codec, codec_rules
from openhands_recipes.errors import OutsideError
from openhands_recipes.model.image import Compression

GOLDEN: dict[Compression, str] = {
    "zstd": "36edc3ff86aff7bccb8c42697e2a5e7fff2190c6ee2a7dfb8537bb1220f816ef",
    "gzip": "84ff4df90b1fc281fe1d42a4802ec54233834bafabc63830bc27ded965f04c69",
}
"""If one of these changes, so does the digest of every image: raise the library version in the codec."""


def sample() -> bytes:
    """As compressible as programs are; made of hashes, because nothing else is the same in every Python."""
    noise = hashlib.shake_256(b"openhands-recipes").digest(64_000)
    words = [noise[start : start + 2 + noise[start] % 12] for start in range(0, 60_000, 17)]
    order = hashlib.shake_256(noise).digest(1_400_000)
    picks = zip(order[::2], order[1::2], strict=True)
    return b"".join(words[(high << 8 | low) % len(words)] for high, low in picks)


def frames(compression: Compression, raw: bytes) -> bytes:
    encode = codec(compression).new_encoder()
    view = memoryview(raw)
    return b"".join(encode(view[start : start + BLOCK]) for start in range(0, len(raw), BLOCK))


@pytest.mark.parametrize("compression", ["zstd", "gzip"])
def test_compressed_bytes_never_change(compression: Compression) -> None:
    raw = sample()
    assert len(raw) > BLOCK
    assert hashlib.sha256(frames(compression, raw)).hexdigest() == GOLDEN[compression]


def test_every_reader_of_zstd_reads_all_frames() -> None:
    raw = sample()
    packed = frames("zstd", raw)
    reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
    assert reader.read(len(raw) + 1) == raw


def test_zstd_frames_state_their_size_and_carry_no_checksum() -> None:
    parameters = zstandard.get_frame_parameters(frames("zstd", b"x" * 1000))
    assert (parameters.content_size, parameters.has_checksum) == (1000, False)


def test_every_reader_of_gzip_reads_all_members() -> None:
    raw = sample()
    assert gzip.decompress(frames("gzip", raw)) == raw


def test_gzip_members_have_neither_name_nor_time_nor_system() -> None:
    assert frames("gzip", b"x")[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def test_no_compression_is_the_bytes_themselves() -> None:
    assert frames("none", b"abc") == b"abc"


def test_rules_name_everything_that_decides_bytes() -> None:
    assert codec_rules("zstd") == {"name": "zstd", "library": "1.5.7", "level": 3, "block": 4194304}


@pytest.mark.parametrize("compression", ["zstd", "gzip"])
def test_another_library_version_is_an_error_before_the_first_byte(
    compression: Compression, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = {compression: codec(compression)._replace(library="0.0.1")}
    monkeypatch.setattr(module, "_CODECS", changed)
    with pytest.raises(OutsideError, match=r"but layers are made with 0\.0\.1"):
        codec(compression).new_encoder()
