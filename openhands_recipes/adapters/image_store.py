"""Packed layers and images in the cache, and what leads out of it: OCI layouts, Docker archives.

A record is a small JSON file, `layers/ab/<hex>.<codec>.json` or `images/ab/<hex>.json`, written after the
blobs it names. One whose blobs are gone counts as absent: the layer is packed again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from openhands_recipes.adapters.atomic import atomic_write
from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir, cache_error
from openhands_recipes.adapters.docker_archive import write_docker_archive
from openhands_recipes.adapters.layer_stream import gone, open_layer
from openhands_recipes.adapters.oci_layout import write_layout
from openhands_recipes.model.base import Model
from openhands_recipes.model.digest import Digest, digest_of, digest_of_json, hex_of
from openhands_recipes.model.image import Compression, Image, Layer
from openhands_recipes.model.platform import Platform

CodecRules = Callable[[Compression], Mapping[str, str | int]]


class ImageRecord(Model):
    """An image as it is remembered: its documents are blobs like its layers."""

    name: str
    version: str
    platform: Platform
    config: Digest
    manifest: Digest
    layers: tuple[Layer, ...]


class LocalImageStore:
    """`ports.ImageStore` in the cache folder; any number of processes may share it.

    Args:
        cache: where records are kept.
        blobs: where bytes are kept.
        codec_rules: what decides compressed bytes: layers of another codec version are other layers.
    """

    def __init__(self, cache: CacheDir, blobs: BlobStore, *, codec_rules: CodecRules) -> None:
        self._cache = cache
        self._blobs = blobs
        self._codec_rules = codec_rules

    def layer(self, key: Digest, compression: Compression) -> Layer | None:
        """A layer packed before under this key with the codec of today."""
        try:
            layer = Layer.model_validate_json(self._layer_record(key, compression).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        return layer if self._blobs.path(layer.digest, size=layer.size) is not None else None

    def keep_layer(self, key: Digest, layer: Layer) -> None:
        """Remember a packed layer whose blob is in the cache.

        Raises:
            OutsideError: the cache cannot be written.
        """
        self._keep(self._layer_record(key, layer.compression), layer)

    def blob(self, digest: Digest) -> Path:
        """A layer's, config's or manifest's bytes.

        Raises:
            OutsideError: not in the cache any more.
        """
        path = self._blobs.path(digest)
        if path is None:
            raise gone(digest)
        return path

    def open_layer(self, layer: Layer) -> AbstractContextManager[IO[bytes]]:
        """A packed layer's tar, uncompressed while reading.

        Raises:
            OutsideError: not in the cache any more.
            VerificationError: from reading: the blob is damaged.
        """
        return open_layer(self.blob(layer.digest), layer)

    def image(self, key: Digest) -> Image | None:
        """The image built before from the same inputs, if all its bytes are still there."""
        try:
            record = ImageRecord.model_validate_json(self._record("images", key).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        documents = [self._document(digest) for digest in (record.config, record.manifest)]
        layers = record.layers
        if any(self._blobs.path(layer.digest, size=layer.size) is None for layer in layers):
            return None
        config, manifest = documents
        if config is None or manifest is None:
            return None
        return Image(
            name=record.name, version=record.version, platform=record.platform,
            config=config, manifest=manifest, layers=layers,
        )  # fmt: skip

    def keep_image(self, key: Digest, image: Image) -> None:
        """Remember an image whose layers are all in the cache.

        Raises:
            OutsideError: the cache cannot be written.
        """
        record = ImageRecord(
            name=image.name, version=image.version, platform=image.platform, layers=image.layers,
            config=self._blobs.add(image.config), manifest=self._blobs.add(image.manifest),
        )  # fmt: skip
        self._keep(self._record("images", key), record)

    def write_layout(self, folder: Path, image: Image) -> None:
        """Put an image into an OCI image layout, new or existing, complete or not at all.

        Raises:
            UsageError: the folder holds something that is no image layout.
            OutsideError: it cannot be written, or a blob is not in the cache any more.
        """
        write_layout(folder, image, self.blob)

    def write_docker_archive(self, image: Image, sink: IO[bytes]) -> None:
        """Stream what `docker load` reads, layers uncompressed, into `sink`.

        Raises:
            OutsideError: a layer is not in the cache any more.
            VerificationError: a layer in the cache is damaged; `sink` is cut short then.
        """
        write_docker_archive(image, sink, self.open_layer)

    def _layer_record(self, key: Digest, compression: Compression) -> Path:
        rules = digest_of_json(dict(self._codec_rules(compression)))
        return self._record("layers", key, f".{compression}-{hex_of(rules)[:12]}")

    def _record(self, kind: str, key: Digest, suffix: str = "") -> Path:
        name = hex_of(key)
        return self._cache.root / kind / name[:2] / f"{name}{suffix}.json"

    def _keep(self, path: Path, record: Model) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, record.model_dump_json().encode())
        except OSError as error:
            raise cache_error(error, path.parent) from error

    def _document(self, digest: Digest) -> bytes | None:
        path = self._blobs.path(digest)
        content = path.read_bytes() if path is not None else b""
        return content if digest_of(content) == digest else None
