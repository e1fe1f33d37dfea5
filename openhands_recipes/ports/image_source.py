"""A registry that images are pulled from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from openhands_recipes.model.index import Pinned
from openhands_recipes.ports.artifacts import ArtifactRegistry
from openhands_recipes.ports.talk import Stage


class ImageSource(ArtifactRegistry, Protocol):
    """Manifests, and blobs of any size into the cache."""

    def fetch(self, repository: str, wanted: Sequence[Pinned], stage: Stage | None = None) -> int:
        """Have all of them in the cache; how many bytes came over the network.

        Raises:
            VerificationError: the registry serves other bytes than the digest promises.
            RegistryError: it has them not, or broke off for good.
        """
