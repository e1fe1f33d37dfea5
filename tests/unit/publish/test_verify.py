"""Bundles: made, believed, refused."""

from __future__ import annotations

import base64
import json

import pytest

from openhands_recipes.errors import VerificationError
from openhands_recipes.model.attestation import BUNDLE_TYPE, PREDICATES, Statement
from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.publish.bundle import pae, read_bundle, sign_bundle
from openhands_recipes.publish.verify import verify_bundle, verify_evidence
from tests.releases import new_key

SUBJECT = digest_of(b"an image")
STATEMENT = Statement((SUBJECT,), PREDICATES["tests"], {"result": "PASSED"})
KEY = new_key()
BUNDLE = sign_bundle(STATEMENT.to_bytes(), KEY)


def refusal(bundle: bytes, **changed: object) -> VerificationError:
    expected: dict[str, object] = {"keys": [KEY.public], "subject": SUBJECT, "kind": "tests"} | changed
    with pytest.raises(VerificationError) as caught:
        verify_evidence(bundle, **expected)  # type: ignore[arg-type]  # as the test names them
    return caught.value


def test_the_encoding_that_is_signed_is_the_one_of_the_dsse_specification() -> None:
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_a_bundle_signed_by_a_known_key_about_these_bytes_is_believed() -> None:
    assert verify_evidence(BUNDLE, keys=[KEY.public], subject=SUBJECT, kind="tests") == STATEMENT


def test_any_of_several_keys_will_do() -> None:
    assert verify_bundle(BUNDLE, keys=[new_key().public, KEY.public], subject=SUBJECT) == STATEMENT


def test_the_same_statement_and_key_make_the_same_bundle() -> None:
    assert sign_bundle(STATEMENT.to_bytes(), KEY) == BUNDLE


def test_another_key_is_refused_and_both_are_named() -> None:
    other = new_key().public
    error = refusal(BUNDLE, keys=[other])
    assert error.code == "OHR411"
    assert KEY.hint in error.message
    assert other.hint in str(error.hint)


def test_other_bytes_are_refused_and_the_signed_ones_named() -> None:
    error = refusal(BUNDLE, subject=digest_of(b"another image"))
    assert error.code == "OHR413"
    assert SUBJECT in str(error.hint)


def test_evidence_of_another_kind_is_refused() -> None:
    assert refusal(BUNDLE, kind="spdx").code == "OHR414"


def test_a_changed_payload_is_refused_as_changed() -> None:
    value = json.loads(BUNDLE)
    payload = base64.b64decode(value["dsseEnvelope"]["payload"]).replace(b"PASSED", b"FAILED")
    value["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    assert refusal(json.dumps(value).encode()).code == "OHR412"


def test_a_key_hint_alone_convinces_nobody() -> None:
    forged = json.loads(sign_bundle(STATEMENT.to_bytes(), new_key()))
    forged["verificationMaterial"]["publicKey"]["hint"] = KEY.hint
    assert refusal(json.dumps(forged).encode()).code == "OHR412"


def test_a_keyless_bundle_is_said_to_be_one() -> None:
    value = json.loads(BUNDLE) | {"verificationMaterial": {"certificate": {"rawBytes": "AA=="}}}
    error = refusal(json.dumps(value).encode(), keys=[new_key().public])
    assert (error.code, "keyless" in error.message) == ("OHR411", True)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1"}',
        json.dumps({"mediaType": BUNDLE_TYPE, "dsseEnvelope": {"signatures": []}}).encode(),
        json.dumps(
            {
                "mediaType": BUNDLE_TYPE,
                "verificationMaterial": {},
                "dsseEnvelope": {"payload": "!", "payloadType": "x", "signatures": [{"sig": "AA=="}]},
            }
        ).encode(),
    ],
    ids=["empty", "list", "nothing", "older version", "no signature", "not base64"],
)
def test_what_is_no_bundle_is_refused_as_such(content: bytes) -> None:
    with pytest.raises(VerificationError) as caught:
        read_bundle(content)
    assert caught.value.code == "OHR410"


@pytest.mark.parametrize("payload", [b"no json", b"[]", b'{"_type": "https://in-toto.io/Statement/v1"}'])
def test_a_signed_payload_that_is_no_statement_is_refused(payload: bytes) -> None:
    with pytest.raises(VerificationError, match="not an in-toto statement"):
        verify_bundle(sign_bundle(payload, KEY), keys=[KEY.public], subject=Digest(SUBJECT))
