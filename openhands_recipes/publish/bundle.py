"""Sigstore bundles v0.3 around DSSE envelopes, made with a key: what cosign v3 writes and reads.

No transparency log and no timestamp is in them: a bundle made offline proves who signed, not when.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from openhands_recipes.errors import VerificationError
from openhands_recipes.model.attestation import BUNDLE_TYPE, PAYLOAD_TYPE, Envelope
from openhands_recipes.model.digest import canonical_json
from openhands_recipes.ports.signer import SigningKey


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes a DSSE signature covers (DSSE v1, protocol.md: pre-authentication encoding)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign_bundle(statement: bytes, key: SigningKey) -> bytes:
    """A bundle over an in-toto statement; the same one for the same statement and key."""
    signature = key.sign(pae(PAYLOAD_TYPE, statement))
    return canonical_json(
        {
            "mediaType": BUNDLE_TYPE,
            "verificationMaterial": {"publicKey": {"hint": key.hint}},
            "dsseEnvelope": {
                "payload": _text(statement),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"sig": _text(signature)}],
            },
        }
    )


def read_bundle(content: bytes) -> Envelope:
    """What a bundle carries, not yet believed.

    Raises:
        VerificationError: it is no bundle, of another version, or has not exactly one signature.
    """
    try:
        value: dict[str, Any] = json.loads(content)
        if value["mediaType"] != BUNDLE_TYPE:
            raise _refused(f"its type is {value['mediaType']!r}, not {BUNDLE_TYPE!r}")
        envelope = value["dsseEnvelope"]
        (signature,) = envelope["signatures"]
        material = value["verificationMaterial"]
        return Envelope(
            payload=_bytes(envelope["payload"]),
            payload_type=str(envelope["payloadType"]),
            signature=_bytes(signature["sig"]),
            key_hint=str(material.get("publicKey", {}).get("hint", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise _refused(str(error) or type(error).__name__) from error


def _refused(reason: str) -> VerificationError:
    return VerificationError(f"not a sigstore bundle: {reason}", code="OHR410")


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
