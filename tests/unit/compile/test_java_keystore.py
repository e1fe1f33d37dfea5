from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_recipes.compile import java_keystore
from openhands_recipes.compile.java_keystore import Entry
from openhands_recipes.errors import VerificationError

CERTIFICATES = st.builds(
    Entry,
    st.text(st.characters(categories=("L", "N", "P")), max_size=30),
    st.integers(0, 2**63),
    st.binary(min_size=1, max_size=100),
    st.just(b""),
)


@given(st.lists(CERTIFICATES, max_size=5))
def test_what_is_written_is_read_again(entries: list[Entry]) -> None:
    assert java_keystore.parse(java_keystore.write(entries)) == tuple(entries)


@given(st.lists(CERTIFICATES, max_size=5), st.integers(0, 2**32), st.integers(0, 2**40))
def test_times_are_forgotten_and_nothing_else(entries: list[Entry], epoch: int, later: int) -> None:
    first = java_keystore.normalise(java_keystore.write(entries), epoch=epoch)
    moved = [entry._replace(milliseconds=later) for entry in entries]
    assert java_keystore.normalise(java_keystore.write(moved), epoch=epoch) == first
    assert [entry[0:3:2] for entry in java_keystore.parse(first)] == [entry[0:3:2] for entry in entries]
    assert all(entry.milliseconds == epoch * 1000 for entry in java_keystore.parse(first))


@given(st.lists(CERTIFICATES, min_size=1, max_size=3), st.data())
def test_any_flipped_byte_is_noticed(entries: list[Entry], data: st.DataObject) -> None:
    content = bytearray(java_keystore.write(entries))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 0x20
    with pytest.raises(VerificationError):
        java_keystore.parse(bytes(content))


def test_the_bytes_are_javas_own() -> None:
    body = bytes.fromhex("feedfeed00000002000000010000000200016100000000000003e8") + (
        b"\x00\x05X.509" + b"\x00\x00\x00\x02" + b"DR"
    )
    total = hashlib.sha1("changeit".encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()  # noqa: S324
    assert java_keystore.write([Entry("a", 1000, b"DR")]) == body + total


def test_private_keys_pass_through_unread() -> None:
    key = (
        struct.pack(">I", 3) + b"key" + struct.pack(">I", 1) + b"\x00\x05X.509" + struct.pack(">I", 1) + b"D"
    )
    entries = (Entry("k", 5, b"", key), Entry("c", 6, b"DER"))
    assert java_keystore.parse(java_keystore.write(entries)) == entries
    assert (
        java_keystore.parse(java_keystore.normalise(java_keystore.write(entries), epoch=1))[0].raw_key == key
    )


def sealed(body: bytes) -> bytes:
    return body + hashlib.sha1("changeit".encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()  # noqa: S324


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (bytes.fromhex("feedfeed0000000200000001"), "ends inside an entry"),
        (bytes.fromhex("feedfeed000000020000000000"), "more bytes than entries"),
        (bytes.fromhex("feedfeed00000002000000010000000700000000000000000000"), "unknown kind 7"),
    ],
)
def test_a_broken_keystore_is_refused(body: bytes, complaint: str) -> None:
    with pytest.raises(VerificationError, match=complaint):
        java_keystore.parse(sealed(body))


def test_version_1_has_no_certificate_kinds() -> None:
    body = bytes.fromhex("feedfeed0000000100000001000000020001610000000000000001") + b"\0\0\0\x01D"
    assert java_keystore.parse(sealed(body)) == (Entry("a", 1, b"D"),)


def test_another_format_is_told_apart() -> None:
    assert not java_keystore.is_keystore(b"\x30\x82")
    with pytest.raises(VerificationError, match="not an intact Java keystore"):
        java_keystore.parse(b"\x30\x82" + bytes(40))


def test_a_trust_store_holds_each_certificate_once() -> None:
    pem = (
        b"# comment\n-----BEGIN CERTIFICATE-----\nREVS\n-----END CERTIFICATE-----\n"
        b"-----BEGIN CERTIFICATE-----\nRE VS\n-----END CERTIFICATE-----\n"
        b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"
    )
    certificates = java_keystore.certificates_of(pem)
    assert certificates == (b"DER", b"DER")
    (entry,) = java_keystore.parse(java_keystore.trust_store(certificates, epoch=7))
    assert entry == Entry(hashlib.sha256(b"DER").hexdigest(), 7000, b"DER")
