"""Packed layers and images in the cache, and what leads out of it: OCI layouts, Docker archives.

A record is a small JSON file, `layers/ab/<hex>.<codec>.json` or `images/ab/<hex>.json`, written after the
blobs it names. One whose blobs are gone counts as absent: the layer is packed again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from openhands_recipes.adapters.atomic import atomic_write
from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir, cache_error
from openhands_recipes.adapters.oci_layout import write_layout
from openhands_recipes.errors import OutsideError
from openhands_recipes.model.digest import Digest, canonical_json, digest_of, digest_of_json, hex_of
from openhands_recipes.model.image import Compression, Image, Layer

CodecRules = Callable[[Compression], Mapping[str, str | int]]


def _layer(value: Any) -> Layer:  # noqa: ANN401 - what a record holds
    """A layer from its record.

    Raises:
        TypeError: it is no such record.
    """
    return Layer(**value)


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
            layer = _layer(json.loads(self._layer_record(key, compression).read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return layer if self._blobs.path(layer.digest, size=layer.size) is not None else None

    def keep_layer(self, key: Digest, layer: Layer) -> None:
        """Remember a packed layer whose blob is in the cache.

        Raises:
            OutsideError: the cache cannot be written.
        """
        self._keep(self._layer_record(key, layer.compression), asdict(layer))

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
        from openhands_recipes.adapters.layer_stream import open_layer  # noqa: PLC0415 - loads a codec

        return open_layer(self.blob(layer.digest), layer)

    def image(self, key: Digest) -> Image | None:
        """The image built before from the same inputs, if all its bytes are still there."""
        try:
            record = json.loads(self._record("images", key).read_bytes())
            layers = tuple(map(_layer, record["layers"]))
            config, manifest = (self._document(Digest(record[name])) for name in ("config", "manifest"))
            named = {name: record[name] for name in ("name", "version", "platform")}
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None
        if any(self._blobs.path(layer.digest, size=layer.size) is None for layer in layers):
            return None
        if config is None or manifest is None:
            return None
        return Image(**named, config=config, manifest=manifest, layers=layers)

    def keep_image(self, key: Digest, image: Image) -> None:
        """Remember an image whose layers are all in the cache.

        Raises:
            OutsideError: the cache cannot be written.
        """
        record = {
            "name": image.name, "version": image.version, "platform": image.platform,
            "layers": [asdict(layer) for layer in image.layers],
            "config": self._blobs.add(image.config), "manifest": self._blobs.add(image.manifest),
        }  # fmt: skip
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
        from openhands_recipes.adapters.docker_archive import write_docker_archive  # noqa: PLC0415 - the same

        write_docker_archive(image, sink, self.open_layer)

    def _layer_record(self, key: Digest, compression: Compression) -> Path:
        rules = digest_of_json(dict(self._codec_rules(compression)))
        return self._record("layers", key, f".{compression}-{hex_of(rules)[:12]}")

    def _record(self, kind: str, key: Digest, suffix: str = "") -> Path:
        name = hex_of(key)
        return self._cache.root / kind / name[:2] / f"{name}{suffix}.json"

    def _keep(self, path: Path, record: dict[str, Any]) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, canonical_json(record))
        except OSError as error:
            raise cache_error(error, path.parent) from error

    def _document(self, digest: Digest) -> bytes | None:
        path = self._blobs.path(digest)
        content = path.read_bytes() if path is not None else b""
        return content if digest_of(content) == digest else None


def gone(digest: str) -> OutsideError:
    """What to say about a blob that was there before."""
    return OutsideError("a blob is not in the cache any more", where=digest, hint="build the image again")
