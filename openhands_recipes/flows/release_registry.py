"""What a release leaves in a registry beside its images: referrers, their lists, tags.

Each step looks first and writes only what is missing or wrong, so that it may be run again at any time, by
anybody, and two at once end at the same state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from openhands_recipes.errors import RegistryError, VerificationError
from openhands_recipes.flows.release_evidence import SignedEvidence
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.image import INDEX_TYPE, MANIFEST_TYPE
from openhands_recipes.model.reference import tag_for
from openhands_recipes.model.release_record import ReleaseRecord
from openhands_recipes.ports.artifacts import ArtifactRegistry, StoredManifest
from openhands_recipes.ports.ledger import Ledger
from openhands_recipes.publish.referrers import EMPTY, fallback_index, fallback_tag, listed
from openhands_recipes.publish.revision import revisions, tags_of

TRIES = 5
"""How often a list or a tag is written before we believe that somebody else keeps changing it."""


@dataclass(frozen=True)
class Shelf:
    """One recipe's repository in one registry."""

    registry: ArtifactRegistry
    repository: str

    def put_evidence(self, evidence: SignedEvidence) -> None:
        """Have all manifests of evidence there; nobody is told yet where the registry keeps no list."""
        self.registry.put_blob(self.repository, EMPTY)
        for bundle in dict.fromkeys(one.bundle for one in evidence.manifests):
            self.registry.put_blob(self.repository, bundle)
        for one in evidence.manifests:
            self.registry.put_manifest(self.repository, StoredManifest(one.content, MANIFEST_TYPE))

    def missing_evidence(self, record: ReleaseRecord) -> tuple[Digest, ...]:
        """What the ledger says refers to a release and the registry does not have."""
        wanted = (Digest(referrer.manifest) for referrer in record.referrers)
        return tuple(one for one in wanted if self.registry.manifest(self.repository, one) is None)

    def list_evidence(self, records: Sequence[ReleaseRecord], record: ReleaseRecord) -> None:
        """Make sure that whoever asks what refers to a release is told all of it.

        Raises:
            RegistryError: somebody keeps undoing it.
        """
        for subject in dict.fromkeys(Digest(referrer.subject) for referrer in record.referrers):
            if self.registry.referrers(self.repository, subject) is None:
                self._list_by_tag(records, subject)

    def _list_by_tag(self, records: Sequence[ReleaseRecord], subject: Digest) -> None:
        ours, tag = listed(records, subject), fallback_tag(subject)
        for _ in range(TRIES):
            present = self.registry.manifest(self.repository, tag)
            wanted = fallback_index(ours, present.content if present else None)
            if present is not None and present.content == wanted:
                return
            self.registry.put_manifest(self.repository, StoredManifest(wanted, INDEX_TYPE), tag=tag)
        raise RegistryError(
            "the list of referrers is changed by somebody else again and again",
            where=f"{self.repository}:{tag}",
            hint="are two releases of one image running? run it again",
        )

    def set_tags(self, ledger: Ledger, name: str, version: str) -> None:
        """Put the tags of a version where the ledger says, until the ledger stands still meanwhile.

        Raises:
            VerificationError: a tag that never moves points to something else.
            RegistryError: somebody keeps moving them.
        """
        for _ in range(TRIES):
            before = tags_of(revisions(ledger.releases(name), version))
            for tag, digest in sorted(before.items(), reverse=True):
                self._set_tag(tag, digest, movable=tag == tag_for(version))
            ledger.head()
            if tags_of(revisions(ledger.releases(name), version)) == before:
                return
        raise RegistryError(
            "releases of this version keep coming; its tag may be behind",
            where=f"{self.repository}:{tag_for(version)}",
            hint="run it again",
        )

    def _set_tag(self, tag: str, digest: Digest, *, movable: bool) -> None:
        present = self.registry.manifest(self.repository, tag)
        if present is not None and present.digest == digest:
            return
        if present is not None and not movable:
            raise VerificationError(
                f"{self.repository}:{tag} points to {present.digest}, released was {digest}",
                hint="find out who moved it, delete it in the registry, then release again",
                code="OHR405",
            )
        content = self.registry.manifest(self.repository, digest)
        if content is None:
            raise RegistryError(
                "a released image is not in the registry any more",
                where=f"{self.repository}@{digest}",
                hint="was it deleted, or is this another registry than the one released to?",
            )
        self.registry.put_manifest(self.repository, content, tag=tag)
