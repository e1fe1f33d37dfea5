"""One flipped bit anywhere in a bundle: refused, or the very same statement."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_recipes.errors import VerificationError
from openhands_recipes.model.attestation import PREDICATES, Statement
from openhands_recipes.model.digest import digest_of
from openhands_recipes.publish.bundle import sign_bundle
from openhands_recipes.publish.verify import verify_bundle
from tests.releases import new_key

SUBJECT = digest_of(b"image")
STATEMENT = Statement((SUBJECT,), PREDICATES["tests"], {"result": "PASSED", "passedTests": ["a", "b"]})
KEY = new_key()
BUNDLE = sign_bundle(STATEMENT.to_bytes(), KEY)


@given(st.integers(0, len(BUNDLE) - 1), st.integers(0, 7))
def test_a_flipped_bit_never_makes_another_statement(place: int, bit: int) -> None:
    """Some bits say nothing: the key hint only helps to find the key, unknown fields are not read."""
    flipped = bytearray(BUNDLE)
    flipped[place] ^= 1 << bit
    try:
        found = verify_bundle(bytes(flipped), keys=[KEY.public], subject=SUBJECT)
    except VerificationError:
        return
    assert found == STATEMENT


@given(st.integers(0, len(STATEMENT.to_bytes()) - 1), st.integers(0, 7))
def test_a_flipped_bit_of_what_was_signed_is_always_refused(place: int, bit: int) -> None:
    value = json.loads(BUNDLE)
    payload = bytearray(STATEMENT.to_bytes())
    payload[place] ^= 1 << bit
    value["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    with pytest.raises(VerificationError) as caught:
        verify_bundle(json.dumps(value).encode(), keys=[KEY.public], subject=SUBJECT)
    assert caught.value.code == "OHR412"
