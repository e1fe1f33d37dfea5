"""Manifests that refer to an image, and the tag that lists them where a registry does not.

Source: image-spec 1.1, manifest.md ("subject"); distribution-spec 1.1, "Listing Referrers" and "Referrers
Tag Schema". The form of the manifests is what cosign v3 writes for sigstore bundles.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from openhands_recipes.errors import VerificationError
from openhands_recipes.model.attestation import BUNDLE_TYPE, PREDICATES
from openhands_recipes.model.digest import Digest, canonical_json, digest_of
from openhands_recipes.model.image import INDEX_TYPE, MANIFEST_TYPE, Descriptor
from openhands_recipes.model.release_record import EvidenceKind, Referrer, ReleaseRecord

EMPTY = b"{}"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
PREDICATE_ANNOTATION = "dev.sigstore.bundle.predicateType"


@dataclass(frozen=True)
class ReferrerManifest:
    """One manifest that carries one bundle about one subject."""

    kind: EvidenceKind
    subject: Descriptor
    bundle: bytes
    created: str
    """ISO 8601, UTC; the image's own date, so that the same bundle has the same manifest."""

    @property
    def content(self) -> bytes:
        """The manifest's bytes."""
        empty = Descriptor(EMPTY_TYPE, digest_of(EMPTY), len(EMPTY))
        layer = Descriptor(BUNDLE_TYPE, digest_of(self.bundle), len(self.bundle))
        return canonical_json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "artifactType": BUNDLE_TYPE,
                "config": empty.to_json(),
                "layers": [layer.to_json()],
                "subject": self.subject.to_json(),
                "annotations": annotations_of(self.kind, self.created),
            }
        )

    @property
    def record(self) -> Referrer:
        """What the ledger keeps of it."""
        content = self.content
        return Referrer(
            subject=self.subject.digest, manifest=digest_of(content), size=len(content), kind=self.kind
        )


def annotations_of(kind: EvidenceKind, created: str) -> dict[str, str]:
    """Annotations of a manifest, repeated in its descriptor."""
    return {
        "dev.sigstore.bundle.content": "dsse-envelope",
        PREDICATE_ANNOTATION: PREDICATES[kind],
        "org.opencontainers.image.created": created,
    }


def fallback_tag(subject: Digest) -> str:
    """The tag under which a registry without the referrers API keeps the list."""
    return subject.replace(":", "-", 1)


def listed(records: Iterable[ReleaseRecord], subject: Digest) -> dict[Digest, dict[str, Any]]:
    """Descriptors of everything the ledger knows to refer to a subject, by digest."""
    found: dict[Digest, dict[str, Any]] = {}
    for record in records:
        for referrer in record.referrers:
            if referrer.subject == subject:
                descriptor = Descriptor(
                    MANIFEST_TYPE,
                    Digest(referrer.manifest),
                    referrer.size,
                    annotations=annotations_of(referrer.kind, record.about.created),
                )
                found[Digest(referrer.manifest)] = descriptor.to_json() | {"artifactType": BUNDLE_TYPE}
    return found


def fallback_index(ours: Mapping[Digest, dict[str, Any]], present: bytes | None) -> bytes:
    """The list that should stand under the fallback tag: ours, and after them what others have added.

    Raises:
        VerificationError: what stands there is no image index.
    """
    others = [entry for entry in _entries(present) if entry.get("digest") not in ours]
    entries = [*(ours[digest] for digest in sorted(ours)), *others]
    return canonical_json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries})


def _entries(content: bytes | None) -> list[dict[str, Any]]:
    if content is None:
        return []
    try:
        value = json.loads(content)
        entries = [dict(entry) for entry in value["manifests"]]
    except (ValueError, KeyError, TypeError) as error:
        raise VerificationError(f"the list of referrers is no image index: {error}") from error
    return entries
