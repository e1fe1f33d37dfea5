"""What is attested of a release: in-toto statements, and the kinds there are.

Formats: in-toto Statement v1, DSSE v1, sigstore bundle v0.3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openhands_recipes.errors import VerificationError
from openhands_recipes.model.digest import Digest, canonical_json, hex_of
from openhands_recipes.model.release_record import EvidenceKind

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PREDICATES: Mapping[EvidenceKind, str] = {
    "signature": "https://sigstore.dev/cosign/sign/v1",
    "provenance": "https://slsa.dev/provenance/v1",
    "spdx": "https://spdx.dev/Document",
    "cyclonedx": "https://cyclonedx.org/bom",
    "tests": "https://in-toto.io/attestation/test-result/v0.1",
}
"""What cosign calls `slsaprovenance1`, `spdxjson`, `cyclonedx`; tests by their full name."""
STATE_PREDICATE = "https://openhands-recipes.github.io/release-state/v1"
"""A change of a release's state; its predicate is a `StateChange`."""


@dataclass(frozen=True)
class Statement:
    """A claim about some bytes, known by digest."""

    subjects: tuple[Digest, ...]
    predicate_type: str
    predicate: Mapping[str, Any]

    def to_bytes(self) -> bytes:
        """The canonical bytes that are signed."""
        return canonical_json(
            {
                "_type": STATEMENT_TYPE,
                "subject": [{"digest": {"sha256": hex_of(digest)}} for digest in self.subjects],
                "predicateType": self.predicate_type,
                "predicate": dict(self.predicate),
            }
        )


@dataclass(frozen=True)
class Envelope:
    """A signed payload (DSSE) and what names the key: all of a bundle that decides."""

    payload: bytes
    payload_type: str
    signature: bytes
    key_hint: str
    """Base64 of the SHA-256 of the public key, DER; empty where a certificate names the signer."""


def read_statement(payload: bytes) -> Statement:
    """A statement from the payload of an envelope; subjects without a sha256 are left out.

    Raises:
        VerificationError: it is none.
    """
    try:
        value = json.loads(payload)
        if value["_type"] != STATEMENT_TYPE:
            raise VerificationError(f"not an in-toto statement v1: {value['_type']!r}")
        found = [subject["digest"].get("sha256") for subject in value["subject"]]
        return Statement(
            tuple(Digest(f"sha256:{digits}") for digits in found if digits),
            str(value["predicateType"]),
            dict(value["predicate"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise VerificationError(f"not an in-toto statement: {error}") from error
