"""Packed layers and images in the cache; OCI layouts and Docker archives out of it."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Protocol

from openhands_recipes.model.digest import Digest
from openhands_recipes.model.image import Compression, Image, Layer
from openhands_recipes.ports import Blobs


class AdoptingBlobs(Blobs, Protocol):
    """A blob cache that can take over a finished file."""

    def adopt(self, path: Path, digest: Digest) -> Path:
        """Move a file whose digest is known into the cache; where it lies now."""


class LocalImageStore:
    """Records below `folder/layers` and `folder/images`, bytes in the blob cache."""

    def __init__(self, folder: Path, blobs: AdoptingBlobs) -> None:
        raise NotImplementedError

    def layer(self, key: Digest, compression: Compression) -> Layer | None:
        """A layer packed before under this key."""
        raise NotImplementedError

    def keep_layer(self, key: Digest, layer: Layer, blob: Path) -> None:
        """Remember a packed layer and take over its blob."""
        raise NotImplementedError

    def blob(self, digest: Digest) -> Path:
        """A layer's, config's or manifest's bytes."""
        raise NotImplementedError

    def image(self, key: Digest) -> Image | None:
        """The image built before from the same inputs."""
        raise NotImplementedError

    def keep_image(self, key: Digest, image: Image) -> None:
        """Remember an image whose blobs are all in the cache."""
        raise NotImplementedError

    def write_layout(self, folder: Path, image: Image) -> None:
        """An OCI image layout, complete or absent."""
        raise NotImplementedError

    def write_docker_archive(self, image: Image, sink: IO[bytes]) -> None:
        """What `docker load` reads, with uncompressed layers."""
        raise NotImplementedError
