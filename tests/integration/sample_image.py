"""Small but real images: tar layers, compressed for real, under a manifest and in an OCI layout.

A built recipe takes their place when OHR_TEST_LAYOUT names its layout.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import zstandard

from openhands_recipes.model.digest import Digest, canonical_json, digest_of, hex_of
from openhands_recipes.model.image import (
    CONFIG_TYPE,
    INDEX_TYPE,
    LAYER_TYPES,
    MANIFEST_TYPE,
    Compression,
    Descriptor,
    Image,
    Layer,
)

COMPRESSION_OF: dict[str, Compression] = {
    LAYER_TYPES["zstd"]: "zstd",
    LAYER_TYPES["gzip"]: "gzip",
    LAYER_TYPES["none"]: "none",
}


@dataclass(frozen=True)
class Sample:
    """An image and the folder its blobs lie in."""

    image: Image
    folder: Path

    def blob(self, digest: Digest) -> Path:
        return self.folder / "blobs" / "sha256" / hex_of(digest)


def tree_layer(files: dict[str, bytes]) -> bytes:
    """A tar of a few files below folders of their own, always the same bytes."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as tar:
        folders = sorted(
            {str(parent) for path in files for parent in Path(path).parents if str(parent) != "."}
        )
        for folder in folders:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return sink.getvalue()


def noise(size: int, seed: int) -> bytes:
    """Bytes that no codec makes smaller, the same for the same seed."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - not for secrets


def make_sample(
    folder: Path,
    layers: Sequence[tuple[str, bytes]],
    *,
    name: str = "sample",
    version: str = "1.0.0",
    compression: Compression = "zstd",
) -> Sample:
    """An image of (group, tar) layers, its blobs kept in an OCI layout."""
    packed = [_packed(folder, group, tar, compression) for group, tar in layers]
    config = canonical_json(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": ["PATH=/usr/bin:/bin"], "Cmd": ["/bin/true"]},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in packed]},
            "history": [{"created_by": layer.group} for layer in packed],
        }
    )
    manifest = canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": Descriptor(
                media_type=CONFIG_TYPE, digest=digest_of(config), size=len(config)
            ).to_json(),
            "layers": [layer.descriptor().to_json() for layer in packed],
        }
    )
    image = Image(
        name=name,
        version=version,
        platform="linux/amd64",
        config=config,
        manifest=manifest,
        layers=tuple(packed),
    )
    write_layout(folder, image)
    return Sample(image, folder)


def write_layout(folder: Path, image: Image) -> None:
    for content in (image.config, image.manifest):
        _keep(folder, content)
    top = Descriptor(
        media_type=MANIFEST_TYPE,
        digest=image.digest,
        size=len(image.manifest),
        annotations={"org.opencontainers.image.ref.name": image.version},
    )
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [top.to_json()]}
    (folder / "index.json").write_bytes(canonical_json(index))
    (folder / "oci-layout").write_bytes(canonical_json({"imageLayoutVersion": "1.0.0"}))


def read_layout(folder: Path) -> Sample:
    """The first image of a layout somebody else wrote."""

    def blob(descriptor: dict[str, Any]) -> bytes:
        return (folder / "blobs" / "sha256" / hex_of(Digest(descriptor["digest"]))).read_bytes()

    top = json.loads((folder / "index.json").read_bytes())["manifests"][0]
    if top["mediaType"] == INDEX_TYPE:
        top = json.loads(blob(top))["manifests"][0]
    manifest = json.loads(blob(top))
    config = json.loads(blob(manifest["config"]))
    layers = tuple(
        Layer(
            diff_id=diff_id,
            digest=entry["digest"],
            size=entry["size"],
            uncompressed_size=_size_of_tar(folder, entry),
            compression=COMPRESSION_OF[entry["mediaType"]],
            group="sample/layer",
        )
        for entry, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True)
    )
    image = Image(
        name="sample",
        version="1.0.0",
        platform="linux/amd64",
        config=blob(manifest["config"]),
        manifest=blob(top),
        layers=layers,
    )
    return Sample(image, folder)


@contextmanager
def unpacked_layer(blob: Path, compression: Compression) -> Iterator[IO[bytes]]:
    """A layer's tar; ours are zstd streams of many frames."""
    with blob.open("rb") as packed:
        match compression:
            case "zstd":
                reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
                yield io.BufferedReader(reader)
            case "gzip":
                with gzip.open(packed) as tar:
                    yield tar  # type: ignore[misc]  # a GzipFile is a stream of bytes
            case "none":
                yield packed


def _size_of_tar(folder: Path, entry: dict[str, Any]) -> int:
    blob = folder / "blobs" / "sha256" / hex_of(Digest(entry["digest"]))
    with unpacked_layer(blob, COMPRESSION_OF[entry["mediaType"]]) as tar:
        return sum(map(len, iter(lambda: tar.read(1 << 20), b"")))


_CODECS: dict[Compression, Callable[[bytes], bytes]] = {
    "zstd": zstandard.ZstdCompressor(level=3).compress,
    "gzip": lambda content: gzip.compress(content, mtime=0),
    "none": lambda content: content,
}


def _packed(folder: Path, group: str, tar: bytes, compression: Compression) -> Layer:
    blob = _CODECS[compression](tar)
    return Layer(
        diff_id=digest_of(tar),
        digest=_keep(folder, blob),
        size=len(blob),
        uncompressed_size=len(tar),
        compression=compression,
        group=group,
    )


def _keep(folder: Path, content: bytes) -> Digest:
    digest = digest_of(content)
    path = folder / "blobs" / "sha256" / hex_of(digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return digest
