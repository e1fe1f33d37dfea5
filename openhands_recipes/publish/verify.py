"""Whether a bundle may be believed: signed by a key we know, about the bytes we have, of the right kind.

Needs no network, no clock and no index. Bundles of keyless signers carry a certificate and a log entry;
those are for `cosign verify`, and are refused here.
"""

from __future__ import annotations

from collections.abc import Iterable

from openhands_recipes.errors import VerificationError
from openhands_recipes.model.attestation import (
    PAYLOAD_TYPE,
    PREDICATES,
    STATE_PREDICATE,
    Envelope,
    Statement,
    read_statement,
)
from openhands_recipes.model.digest import Digest, canonical_json
from openhands_recipes.model.release_record import EvidenceKind, ReleaseRecord, StateChange, read_change
from openhands_recipes.ports.signer import PublicKey
from openhands_recipes.publish.bundle import pae, read_bundle


def verify_evidence(
    bundle: bytes, *, keys: Iterable[PublicKey], subject: Digest, kind: EvidenceKind
) -> Statement:
    """The statement of a bundle that is evidence of this kind about these bytes.

    Raises:
        VerificationError: not signed by any of the keys, changed since, about other bytes, of another kind.
    """
    statement = verify_bundle(bundle, keys=keys, subject=subject)
    if statement.predicate_type != PREDICATES[kind]:
        raise VerificationError(
            f"a bundle said to be {kind} is {statement.predicate_type}", where=subject, code="OHR414"
        )
    return statement


def verify_change(bundle: bytes, *, keys: Iterable[PublicKey], record: ReleaseRecord) -> StateChange:
    """A change of a release's state, proven to be signed and to be about this release.

    Raises:
        VerificationError: as for `verify_evidence`.
    """
    statement = verify_bundle(bundle, keys=keys, subject=Digest(record.index))
    if statement.predicate_type != STATE_PREDICATE:
        raise VerificationError(
            f"a change of state is {statement.predicate_type}", where=record.identity, code="OHR414"
        )
    change = read_change(change_payload(statement), where=record.identity)
    told = (change.name, change.version, change.revision, change.index)
    if told != (record.name, record.version, record.revision, record.index):
        raise VerificationError(
            f"a change of state speaks of {change.name}@{change.version}-r{change.revision}",
            where=record.identity,
            code="OHR413",
        )
    return change


def verify_bundle(bundle: bytes, *, keys: Iterable[PublicKey], subject: Digest) -> Statement:
    """The statement of a bundle about these bytes, of whatever kind.

    Raises:
        VerificationError: not signed by any of the keys, changed since, or about other bytes.
    """
    envelope = read_bundle(bundle)
    _check_signature(envelope, tuple(keys), subject)
    if envelope.payload_type != PAYLOAD_TYPE:
        raise VerificationError(f"the payload is {envelope.payload_type!r}", where=subject, code="OHR410")
    statement = read_statement(envelope.payload)
    if subject not in statement.subjects:
        raise VerificationError(
            "the bundle is about other bytes",
            where=subject,
            hint=f"it speaks of {', '.join(statement.subjects) or 'nothing'}",
            code="OHR413",
        )
    return statement


def change_payload(statement: Statement) -> bytes:
    """The change of state that a statement carries, as bytes."""
    return canonical_json(dict(statement.predicate))


def unverified_change(envelope: bytes, where: str) -> StateChange:
    """What a signed change of state says, before anybody has looked at its signature.

    Raises:
        VerificationError, ReleaseError: it is no such change.
    """
    return read_change(change_payload(read_statement(read_bundle(envelope).payload)), where=where)


def _check_signature(envelope: Envelope, keys: tuple[PublicKey, ...], where: str) -> None:
    """One of the keys must have signed; a hint that names a known key says what is wrong if none did."""
    message = pae(envelope.payload_type, envelope.payload)
    if any(key.verify(message, envelope.signature) for key in keys):
        return
    if any(key.hint == envelope.key_hint for key in keys):
        raise VerificationError(
            "the bundle was changed after it was signed",
            where=where,
            hint="do not use it; fetch it again from the registry it was released to",
            code="OHR412",
        )
    signer = f"key {envelope.key_hint}" if envelope.key_hint else "a certificate (keyless)"
    raise VerificationError(
        f"the bundle is signed by {signer}, which is not trusted",
        where=where,
        hint=f"trusted: {', '.join(key.hint for key in keys) or 'no key'}",
        code="OHR411",
    )
