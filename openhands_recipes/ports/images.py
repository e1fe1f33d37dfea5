"""Images in the cache, registries, language indexes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from openhands_recipes.model.digest import Digest
from openhands_recipes.ports.talk import Stage

if TYPE_CHECKING:  # pydantic takes 0.15 s to load, and `ohr run` needs none of it
    from openhands_recipes.model.image import Compression, Image, Layer


class ImageStore(Protocol):
    """Packed layers and images in the cache."""

    def layer(self, key: Digest, compression: Compression) -> Layer | None:
        """A layer packed before under this key (parts, rules, codec)."""

    def blob(self, digest: Digest) -> Path:
        """A layer's, config's or manifest's bytes.

        Raises:
            OutsideError: not in the cache any more.
        """

    def open_layer(self, layer: Layer) -> AbstractContextManager[IO[bytes]]:
        """A packed layer's tar, uncompressed while reading.

        Raises:
            OutsideError: not in the cache any more.
        """

    def image(self, key: Digest) -> Image | None:
        """The image built before from the same chain, locks and rules: the fast path."""

    def keep_image(self, key: Digest, image: Image) -> None:
        """Remember an image whose blobs are all in the cache."""

    def write_layout(self, folder: Path, image: Image) -> None:
        """An OCI image layout (image-spec, image-layout.md), complete or absent."""


@dataclass(frozen=True)
class PushOrder:
    """What is to be pushed where: one image, or several under their index."""

    repository: str
    """`namespace/recipe`, without host."""
    images: tuple[Image, ...]
    tags: tuple[str, ...]
    """Point to the index if there is one, else to the only image."""
    index: bytes | None = None
    mount_from: Mapping[Digest, tuple[str, ...]] = field(default_factory=dict)
    """Blob -> repositories of the same registry that probably hold it, likeliest first."""


@dataclass(frozen=True)
class PushReport:
    """What a push did."""

    reference: str
    digest: Digest
    uploaded_bytes: int
    mounted_bytes: int
    present_bytes: int
    requests: int

    @property
    def bytes(self) -> dict[str, int]:
        """What became of the blobs: the words that records and machine output use, and bytes."""
        return {
            "uploaded": self.uploaded_bytes,
            "mounted": self.mounted_bytes,
            "present": self.present_bytes,
        }


class Registry(Protocol):
    """An OCI registry (distribution-spec 1.1)."""

    def push(
        self, order: PushOrder, *, blobs: Callable[[Digest], Path], stage: Stage | None = None
    ) -> PushReport:
        """Blobs, manifests by digest, the index, then tags; what is there already is not sent again.

        Raises:
            RegistryError: refused or broken off, after the retries the specification allows.
            VerificationError: the registry reports another digest than was sent.
        """
