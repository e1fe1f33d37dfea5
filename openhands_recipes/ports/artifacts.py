"""Single manifests and blobs of an OCI registry: what lies around images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.ports.images import Registry


@dataclass(frozen=True)
class StoredManifest:
    """A manifest or index as a registry keeps it."""

    content: bytes
    media_type: str

    @property
    def digest(self) -> Digest:
        """What it is known by."""
        return digest_of(self.content)


class ArtifactRegistry(Registry, Protocol):
    """A registry, seen closely. Everything read by digest is checked against it."""

    def manifest(self, repository: str, reference: str) -> StoredManifest | None:
        """What a tag or digest points to; None if nothing is there.

        Raises:
            VerificationError: the registry serves other bytes than the digest promises.
            RegistryError: refused or broken off.
        """

    def put_manifest(self, repository: str, manifest: StoredManifest, *, tag: str = "") -> bool:
        """Store a manifest by digest, or under a tag; whether the registry has noted its subject.

        Raises:
            VerificationError: the registry reports another digest than was sent.
            RegistryError: refused or broken off.
        """

    def blob(self, repository: str, digest: Digest) -> bytes | None:
        """A small blob (4 MiB at most); None if it is not there.

        Raises:
            VerificationError: the registry serves other bytes than the digest promises.
            RegistryError: refused or broken off.
        """

    def put_blob(self, repository: str, content: bytes) -> Digest:
        """Have a small blob there.

        Raises:
            RegistryError: refused or broken off.
        """

    def referrers(self, repository: str, subject: Digest) -> tuple[dict[str, Any], ...] | None:
        """Descriptors of what refers to a manifest; None if the registry keeps no such list itself.

        Raises:
            RegistryError: refused or broken off.
        """
