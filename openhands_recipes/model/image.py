"""OCI images as values (image-spec 1.1: descriptor, config, manifest, index).

Plain dataclasses: an unchanged image is recognised, pushed and run without loading pydantic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from openhands_recipes.model.digest import Digest, canonical_json, digest_of
from openhands_recipes.model.platform import Platform

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPES = {
    "zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
    "gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
    "none": "application/vnd.oci.image.layer.v1.tar",
}
Compression = Literal["zstd", "gzip", "none"]


@dataclass(frozen=True)
class Descriptor:
    """Type, digest and size of a blob (image-spec, descriptor.md)."""

    media_type: str
    digest: Digest
    size: int
    annotations: dict[str, str] | None = None
    platform: dict[str, str] | None = None

    def to_json(self) -> dict[str, Any]:
        """As it stands in a manifest or an index."""
        written: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.annotations is not None:
            written["annotations"] = self.annotations
        if self.platform is not None:
            written["platform"] = self.platform
        return written


@dataclass(frozen=True)
class Layer:
    """A packed layer: what it contains before compression (`diff_id`) and its blob after."""

    diff_id: Digest
    digest: Digest
    size: int
    uncompressed_size: int
    compression: Compression
    group: str
    """Human name of the layer group: `base/debian/03`, `python/configuration`."""

    def descriptor(self) -> Descriptor:
        """The layer as a manifest lists it."""
        return Descriptor(media_type=LAYER_TYPES[self.compression], digest=self.digest, size=self.size)


@dataclass(frozen=True)
class Image:
    """One platform's image: canonical config and manifest bytes and the layers beneath them."""

    name: str
    version: str
    platform: Platform
    config: bytes
    manifest: bytes
    layers: tuple[Layer, ...]

    @property
    def digest(self) -> Digest:
        """The manifest's digest: the image's identity on its platform."""
        return digest_of(self.manifest)

    @property
    def size(self) -> int:
        """Bytes a registry stores for it: manifest, config and compressed layers."""
        return len(self.manifest) + len(self.config) + sum(layer.size for layer in self.layers)


def index_of(images: tuple[Image, ...], *, annotations: dict[str, str]) -> bytes:
    """The canonical image index over one image per platform, sorted by platform."""
    manifests = []
    for image in sorted(images, key=lambda i: i.platform):
        system, _, architecture = image.platform.partition("/")
        manifests.append(
            Descriptor(
                media_type=MANIFEST_TYPE,
                digest=image.digest,
                size=len(image.manifest),
                platform={"os": system, "architecture": architecture},
            ).to_json()
        )
    return canonical_json(
        {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests, "annotations": annotations}
    )
