from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_recipes.compile.nix.store_paths import from_base32, store_paths, to_base32, tree_path
from openhands_recipes.errors import OutsideError

PATH = "/nix/store/6xc00l1xh9p3ilzkpxw4v96hhxp7wsll-hello-1.0"
SRI = "sha256-77dlDcqTnlOIvhVcgRCg77MIUBXSOhzwYrzh+budw6g="
INFO: dict[str, Any] = {"narHash": SRI, "narSize": 456, "references": [PATH]}
BASE32 = "1s63kpww1s5wcaz1p8zj2k44z6xgi11j1pf1nj4rw77kss6nvds7"


def test_every_format_of_nix_is_read() -> None:
    short = PATH.rpartition("/")[2]
    digest = from_base32(to_base32(bytes(range(32))))
    assert digest == bytes(range(32))
    formats: list[Any] = [
        {PATH: INFO},
        [{"path": PATH, **INFO}],
        {"version": 2, "info": {short: {**INFO, "references": [short]}}},
        {PATH: {**INFO, "narHash": {"algorithm": "sha256", "format": "base64", "hash": SRI[7:]}}},
    ]
    for value in formats:
        (found,) = store_paths(json.dumps(value))
        assert (found.path, found.nar_hash, found.nar_size, found.references) == (PATH, SRI, 456, (PATH,))
        assert found.name == "hello-1.0"


def test_hashes_in_base_16_and_32_are_the_same_hash() -> None:
    digest = bytes(range(32))
    both = [f"sha256:{digest.hex()}", f"sha256:{to_base32(digest)}"]
    first, second = (store_paths(json.dumps({PATH: {**INFO, "narHash": text}}))[0] for text in both)
    assert first == second


@pytest.mark.parametrize("value", ["{", "3", {PATH: None}, {PATH: {}}, {PATH: {**INFO, "narHash": "md5:x"}}])
def test_a_format_nobody_knows_is_told(value: object) -> None:
    with pytest.raises(OutsideError, match="in a way this version does not know"):
        store_paths(value if isinstance(value, str) else json.dumps(value))


def test_a_path_that_is_not_valid_is_told() -> None:
    with pytest.raises(OutsideError):
        store_paths(json.dumps({PATH: None}))


def test_a_tree_lies_where_nix_puts_it() -> None:
    known = tree_path("sha256-XgMpJH0n6TpczPfqzYi045hHj5RgA6ClDB8Iwtp0dwg=")
    assert known == "/nix/store/cnsh2p7qszby6nhadfdfpsh3jisy319y-source"


@given(st.binary(min_size=1, max_size=40).filter(lambda b: len(b) % 5 == 0 or len(b) in (20, 32)))
def test_base_32_comes_back(digest: bytes) -> None:
    assert from_base32(to_base32(digest))[: len(digest)] == digest
