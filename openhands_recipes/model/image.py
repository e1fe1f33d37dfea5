"""OCI images as values (image-spec 1.1: descriptor, config, manifest, index)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from openhands_recipes.model.base import Model
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


class Descriptor(Model):
    """Type, digest and size of a blob (image-spec, descriptor.md)."""

    media_type: str = Field(alias="mediaType")
    digest: Digest
    size: int
    annotations: dict[str, str] | None = None
    platform: dict[str, str] | None = None

    def to_json(self) -> dict[str, Any]:
        """As it stands in a manifest or an index."""
        return self.model_dump(by_alias=True, exclude_none=True)


class Layer(Model):
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
        return Descriptor(mediaType=LAYER_TYPES[self.compression], digest=self.digest, size=self.size)


class Image(Model):
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
                mediaType=MANIFEST_TYPE,
                digest=image.digest,
                size=len(image.manifest),
                platform={"os": system, "architecture": architecture},
            ).to_json()
        )
    return canonical_json(
        {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests, "annotations": annotations}
    )
