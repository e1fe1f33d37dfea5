"""The evidence of a release: statements, signed, each in a manifest that refers to the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openhands_recipes.flows.candidate import Candidate
from openhands_recipes.model.attestation import PREDICATES, Statement
from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.model.image import INDEX_TYPE, MANIFEST_TYPE, Descriptor
from openhands_recipes.model.release_record import Evidence, EvidenceKind, Referrer
from openhands_recipes.ports.signer import Signer
from openhands_recipes.publish.provenance import Origin, provenance
from openhands_recipes.publish.referrers import ReferrerManifest
from openhands_recipes.publish.sbom_cyclonedx import cyclonedx_document
from openhands_recipes.publish.sbom_spdx import spdx_document
from openhands_recipes.publish.test_result import tests_passed


@dataclass(frozen=True)
class SignedEvidence:
    """All manifests with evidence of one release, those of the image index first."""

    manifests: tuple[ReferrerManifest, ...]

    @property
    def records(self) -> tuple[Referrer, ...]:
        """What the ledger keeps of them."""
        return tuple(manifest.record for manifest in self.manifests)

    def summary(self, index: Digest) -> Evidence:
        """The digests a release's record names."""
        found = {one.kind: one.manifest for one in self.records if one.subject == index}
        return Evidence(
            signature=found["signature"],
            provenance=found["provenance"],
            sbom=found["spdx"],
            tests=found.get("tests"),
        )


def statements(candidate: Candidate, index: bytes, origin: Origin) -> Mapping[EvidenceKind, Statement]:
    """What is said about a candidate: each statement is about the index and every platform's image."""
    digest = digest_of(index)
    subjects = (digest, *(image.digest for image in candidate.images))
    contents = candidate.contents(digest)
    predicates: dict[EvidenceKind, Mapping[str, object]] = {
        "signature": {},
        "provenance": provenance(contents, candidate.locks, origin, compression=candidate.compression),
        "spdx": spdx_document(contents),
        "cyclonedx": cyclonedx_document(contents),
    }
    if candidate.proofs:
        predicates["tests"] = tests_passed(candidate.proofs, lock=candidate.lock)
    return {kind: Statement(subjects, PREDICATES[kind], said) for kind, said in predicates.items()}


def sign(candidate: Candidate, index: bytes, origin: Origin, signer: Signer) -> SignedEvidence:
    """Every statement signed once, in one manifest for the index and one for each platform's image."""
    bundles = {
        kind: signer.bundle(statement.to_bytes())
        for kind, statement in statements(candidate, index, origin).items()
    }
    subjects = [Descriptor(INDEX_TYPE, digest_of(index), len(index))]
    subjects += [Descriptor(MANIFEST_TYPE, one.digest, len(one.manifest)) for one in candidate.images]
    return SignedEvidence(
        tuple(
            ReferrerManifest(kind, subject, bundle, candidate.about.created)
            for subject in subjects
            for kind, bundle in bundles.items()
        )
    )
