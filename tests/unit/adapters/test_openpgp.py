from __future__ import annotations

import re

import pytest

from openhands_recipes.adapters.openpgp import Keyring, UnknownSignerError, debian_keys
from openhands_recipes.errors import VerificationError
from tests.signed_archive import (
    archive_key,
    clear_signed,
    expired,
    our_keys,
    public,
    revoked,
    stranger_key,
)

TEXT = b"Origin: Debian\nSuite: stable\n- a line with a dash\n"


def refusal(content: bytes, keys: Keyring | None = None) -> VerificationError:
    with pytest.raises(VerificationError) as caught:
        (keys or our_keys()).verify(content, where="InRelease")
    assert caught.value.exit_code == 4
    assert caught.value.where == "InRelease"
    return caught.value


def test_signed_text_comes_out_as_it_went_in_with_its_signer() -> None:
    signed = our_keys().verify(clear_signed(TEXT), where="InRelease")
    assert signed.content.rstrip() == TEXT.rstrip()
    assert signed.signers == our_keys().fingerprints


def test_windows_line_ends_change_nothing() -> None:
    content = clear_signed(TEXT).replace(b"\n", b"\r\n")
    assert our_keys().verify(content, where="InRelease").signers == our_keys().fingerprints


def test_one_good_signature_among_others_is_enough() -> None:
    keys = Keyring([public(stranger_key()), public(archive_key())])
    assert keys.verify(clear_signed(TEXT), where="InRelease").signers == our_keys().fingerprints


def test_an_unknown_signer_is_named() -> None:
    error = refusal(clear_signed(TEXT, stranger_key()))
    assert isinstance(error, UnknownSignerError)
    assert re.fullmatch(r"signed by unknown keys: [0-9A-F]{40}", error.message)


def test_an_expired_key_does_not_count_and_is_named() -> None:
    error = refusal(clear_signed(TEXT), Keyring([expired(archive_key())]))
    assert error.message.startswith("signed by keys that are no longer valid: ")
    assert "Archive Key <archive@example.org> expired on 20" in error.message


def test_a_revoked_key_does_not_count_and_is_named() -> None:
    error = refusal(clear_signed(TEXT), Keyring([revoked(archive_key())]))
    assert error.message.endswith("Archive Key <archive@example.org> is revoked")


def test_a_changed_text_is_refused() -> None:
    error = refusal(clear_signed(TEXT).replace(b"stable", b"stabLe"))
    assert error.message.startswith("the signature is not valid (")
    assert "\n" not in error.message


@pytest.mark.parametrize(
    "content",
    [b"", TEXT, b"<html>please log in</html>", clear_signed(TEXT).partition(b"-----BEGIN PGP SIGNATURE")[0]],
)
def test_an_unsigned_file_is_refused(content: bytes) -> None:
    assert refusal(content).message == "not signed"


def test_text_before_the_signed_part_is_refused() -> None:
    error = refusal(b"Origin: evil\n\n" + clear_signed(TEXT))
    assert error.message == "there is text before the signed part"


def test_text_after_the_signed_part_is_refused() -> None:
    error = refusal(clear_signed(TEXT) + b"Origin: evil\n")
    assert error.message == "there is text after the signed part"


def test_two_signed_parts_are_refused() -> None:
    assert "signed part" in refusal(clear_signed(TEXT) + clear_signed(TEXT)).message


def test_unsigned_text_in_the_armor_header_is_refused() -> None:
    content = clear_signed(TEXT).replace(b"Hash: SHA512\n", b"Hash: SHA512\nOrigin: evil\n")
    assert refusal(content).message == "there is unsigned text in the header of the signed part"


def test_a_torn_signature_is_refused() -> None:
    head, _, _ = clear_signed(TEXT).rpartition(b"-----END PGP SIGNATURE-----")
    assert "the signature is not valid" in refusal(head[:-60] + b"\n-----END PGP SIGNATURE-----\n").message


def test_a_file_that_is_no_keyring_is_refused() -> None:
    with pytest.raises(VerificationError, match="not an OpenPGP keyring"):
        Keyring([b"nonsense"])


def test_a_key_is_known_by_any_of_its_names() -> None:
    keys = our_keys()
    [fingerprint] = keys.fingerprints
    assert keys.knows(fingerprint)
    assert keys.knows(fingerprint[-16:].lower())
    assert not keys.knows("0" * 40)


def test_a_keyring_is_recognised_by_one_shared_key() -> None:
    assert our_keys().shares_key_with(public(archive_key()))
    assert not our_keys().shares_key_with(public(stranger_key()))


def test_debians_keys_are_shipped_under_their_fingerprints() -> None:
    assert len(debian_keys().fingerprints) == 6
    assert debian_keys().knows("B8E5F13176D2A7A75220028078DBA3BC47EF2265"), "a subkey of trixie's archive key"
    for user in debian_keys()._keys:
        assert re.search(r"\((12/bookworm|13/trixie)\)", user.user_id)
