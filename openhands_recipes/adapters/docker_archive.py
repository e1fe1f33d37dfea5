"""The archive `docker load` reads: layers uncompressed, so that every Docker of the last years takes it.

Source: moby, image/spec/spec.md ("Combined Image JSON + Filesystem Changeset Format").
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import IO

from openhands_recipes.model.digest import canonical_json, digest_of, hex_of
from openhands_recipes.model.image import Image, Layer

OpenLayer = Callable[[Layer], AbstractContextManager[IO[bytes]]]


def write_docker_archive(image: Image, sink: IO[bytes], open_layer: OpenLayer) -> None:
    """Stream an image into `sink`, tagged `name:version`; layers that occur twice are sent once.

    Raises:
        OutsideError: a layer is not in the cache any more.
        VerificationError: a layer in the cache is damaged; `sink` is cut short then.
    """
    config = f"{hex_of(digest_of(image.config))}.json"
    names = {layer.diff_id: f"{hex_of(layer.diff_id)}/layer.tar" for layer in image.layers}
    manifest = {
        "Config": config,
        "RepoTags": [f"{image.name}:{image.version}"],
        "Layers": [names[layer.diff_id] for layer in image.layers],
    }
    with tarfile.open(mode="w|", fileobj=sink, format=tarfile.PAX_FORMAT) as archive:
        _add(archive, config, io.BytesIO(image.config), len(image.config))
        for layer in {layer.diff_id: layer for layer in image.layers}.values():
            with open_layer(layer) as tar:
                _add(archive, names[layer.diff_id], tar, layer.uncompressed_size)
                tar.read(1)  # the end of the stream is where its digest is checked
        listed = canonical_json([manifest])
        _add(archive, "manifest.json", io.BytesIO(listed), len(listed))


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    archive.addfile(member, content)
