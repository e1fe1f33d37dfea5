from __future__ import annotations

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_recipes.errors import VerificationError
from tests.signed_archive import Suite, clear_signed, our_keys

TEXT = Suite().release()


@cache
def signed() -> bytes:
    return clear_signed(TEXT)


@settings(max_examples=300, deadline=None)
@given(position=st.integers(0, 10_000), value=st.integers(0, 255))
def test_whatever_byte_is_changed_the_text_is_refused_or_still_the_signed_one(
    position: int, value: int
) -> None:
    content = bytearray(signed())
    content[position % len(content)] = value
    try:
        result = our_keys().verify(bytes(content), where="InRelease")
    except VerificationError:
        return
    assert result.content.rstrip() == TEXT.rstrip()


@settings(max_examples=100, deadline=None)
@given(before=st.binary(max_size=40), after=st.binary(max_size=40))
def test_bytes_around_the_signed_part_never_reach_the_reader(before: bytes, after: bytes) -> None:
    try:
        result = our_keys().verify(before + signed() + after, where="InRelease")
    except VerificationError:
        return
    assert not before
    assert not after.strip()
    assert result.content.rstrip() == TEXT.rstrip()
