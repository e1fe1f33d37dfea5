"""Any flipped byte of a .deb fails verification; of its compressed data even without a promised hash."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.fragments import FragmentStore
from openhands_recipes.compile.pack.build import build_fragment
from openhands_recipes.compile.pack.convert import CONVERTERS
from openhands_recipes.compile.pack.deb import deb_to_fragment
from openhands_recipes.errors import VerificationError
from openhands_recipes.model.digest import digest_of, hex_of
from openhands_recipes.ports import Conversion
from tests.parts import make_deb, member


@cache
def sample(suffix: str) -> bytes:
    files = [member(f"./usr/share/f{i}", bytes([i]) * (i * 37) + b"text", mtime=i) for i in range(60)]
    return make_deb(files, suffix=suffix)


def flipped(raw: bytes, at: int, bit: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ (1 << bit)]) + raw[at + 1 :]


@pytest.mark.parametrize("suffix", [".xz", ".zst", ".bz2"])
@settings(deadline=None, max_examples=150)
@given(place=st.integers(0), bit=st.integers(0, 7))
def test_a_flipped_bit_of_compressed_data_is_found(suffix: str, place: int, bit: int) -> None:
    raw = sample(suffix)
    start = raw.index(b"data.tar") + 60
    end = len(raw) - len(raw) % 2
    size = int(raw[start - 12 : start - 2])
    damaged = flipped(raw, start + place % min(size, end - start), bit)
    try:
        fragment = deb_to_fragment(io.BytesIO(damaged), io.BytesIO(), "key")
    except VerificationError:
        return
    assert fragment == deb_to_fragment(io.BytesIO(raw), io.BytesIO(), "key"), "a header's spare bit at most"


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0), bit=st.integers(0, 7), named=st.booleans())
def test_a_flipped_bit_anywhere_is_found_by_the_promised_hash(
    tmp_path: Path, place: int, bit: int, *, named: bool
) -> None:
    raw = sample(".gz")
    store = FragmentStore(
        (cache := CacheDir(tmp_path / "cache")), BlobStore(cache), converters=CONVERTERS,
        build=build_fragment, workers=1,
    )  # fmt: skip
    promised = hex_of(digest_of(raw))
    path = tmp_path / (promised if named else "part.deb")
    path.write_bytes(flipped(raw, place % len(raw), bit))
    job = Conversion(digest_of(b"key"), "deb", path, {} if named else {"sha256": promised})
    with pytest.raises(VerificationError, match="does not have the promised sha256"):
        store.convert([job])
    assert store.get(job.key) is None
