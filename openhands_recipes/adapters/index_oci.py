"""An index as OCI artifacts of one repository: one artifact per bin, and one that says what is newest.

    <repository>:index          root, timestamp, snapshot and targets metadata as layers
    <repository>:bins-1ff.7     version 7 of a bin: its metadata, its shards, and the blobs those name

Layers carry their path as title, so `oras pull` writes them as a static host would have them. Shards and
blobs are read by digest, without a manifest. The tag `index` is moved last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from tuf.api.exceptions import DownloadError
from tuf.api.metadata import Metadata, Snapshot, Targets

from openhands_recipes.adapters.index_folder import (
    TIMESTAMP,
    IndexFolder,
    blob_path,
    metadata_path,
    target_path,
)
from openhands_recipes.adapters.index_mirror import BlobsOf, digest_in
from openhands_recipes.adapters.index_source import SourceAbsent
from openhands_recipes.adapters.tuf_state import damaged, load_state
from openhands_recipes.errors import RegistryError
from openhands_recipes.model.digest import Digest, canonical_json, digest_of
from openhands_recipes.model.image import MANIFEST_TYPE
from openhands_recipes.model.index import Pinned
from openhands_recipes.ports import Stage
from openhands_recipes.ports.artifacts import ArtifactRegistry, StoredManifest

ARTIFACT = "application/vnd.openhands.recipes.index.v1+json"
FILE = "application/vnd.openhands.recipes.index.file.v1"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
TITLE = "org.opencontainers.image.title"
NEWEST = "index"
_BIN = re.compile(r"metadata/(\d+)\.(bins-[0-9a-f]+)\.json")
_BY_DIGEST = re.compile(r"(targets/.*|blobs/..)/?[0-9a-f]{64}[^/]*$")


class OciSource:
    """`IndexSource` in a registry."""

    def __init__(self, registry: ArtifactRegistry, repository: str, where: str) -> None:
        self._registry = registry
        self._repository = repository
        self._where = where

    @property
    def where(self) -> str:
        """`oci://HOST/REPOSITORY`."""
        return self._where

    def open(self, path: str) -> Iterator[bytes]:
        """A file, whole: those of an index are small."""
        try:
            content = self._registry.blob(self._repository, self._digest(path))
        except RegistryError as error:
            raise DownloadError(error.message) from error
        if content is None:
            raise SourceAbsent(path)
        yield content

    def _digest(self, path: str) -> Digest:
        if _BY_DIGEST.match(path):
            return digest_in(path)
        match = _BIN.fullmatch(path)
        layers = self._layers(f"{match[2]}.{match[1]}") if match else self._newest
        if path not in layers:
            raise SourceAbsent(path)
        return layers[path]

    @cached_property
    def _newest(self) -> dict[str, Digest]:
        return self._layers(NEWEST)

    def _layers(self, tag: str) -> dict[str, Digest]:
        manifest = self._registry.manifest(self._repository, tag)
        return {} if manifest is None else titles(manifest)


def titles(manifest: StoredManifest) -> dict[str, Digest]:
    """Title -> digest of an artifact's layers. Nothing of this is believed before it is verified.

    Raises:
        RegistryError: it is no manifest.
    """
    try:
        layers = json.loads(manifest.content)["layers"]
        return {layer["annotations"][TITLE]: Digest(layer["digest"]) for layer in layers}
    except (ValueError, KeyError, TypeError) as error:
        raise RegistryError("the registry serves something that is no index", hint=str(error)) from error


class OciPublisher:
    """Brings an index from a folder into a repository, as far as it is not there yet."""

    def __init__(
        self, site: IndexFolder, registry: ArtifactRegistry, repository: str, *, blobs_of: BlobsOf
    ) -> None:
        self._site = site
        self._registry = registry
        self._repository = repository
        self._blobs_of = blobs_of

    def publish(self, stage: Stage) -> int:
        """How many bins were sent. The tag that readers follow is moved when all else is there.

        Raises:
            VerificationError: the folder is damaged, or the registry stores something else.
            RegistryError: the registry refused or broke off.
        """
        state = load_state(self._site)
        before = self._versions()
        sent = 0
        for name in state.bins:
            version = state.snapshot.signed.meta[f"{name}.json"].version
            if before.get(name) != version:
                self._put(f"{name}.{version}", self._bin_files(name, version))
                sent += 1
            stage.advance()
        self._put(NEWEST, self._top_files(state.root.signed.version, state.snapshot.signed.version))
        return sent

    def _versions(self) -> dict[str, int]:
        """What the registry's newest index consists of; nothing if that cannot be understood."""
        manifest = self._registry.manifest(self._repository, NEWEST)
        if manifest is None:
            return {}
        for path, digest in titles(manifest).items():
            if path.endswith(".snapshot.json"):
                content = self._registry.blob(self._repository, digest)
                meta = Metadata[Snapshot].from_bytes(content).signed.meta if content else {}
                return {name.removesuffix(".json"): file.version for name, file in meta.items()}
        return {}

    def _top_files(self, root: int, snapshot: int) -> dict[str, bytes]:
        content = self._read(metadata_path("snapshot", snapshot))
        targets = Metadata[Snapshot].from_bytes(content).signed.meta["targets.json"].version
        paths = [metadata_path("root", version) for version in range(1, root + 1)]
        paths += [metadata_path("targets", targets), TIMESTAMP]
        return {path: self._read(path) for path in paths} | {metadata_path("snapshot", snapshot): content}

    def _bin_files(self, name: str, version: int) -> dict[str, bytes]:
        """The bin's metadata, its targets, and the blobs those name."""
        path = metadata_path(name, version)
        files = {path: self._read(path)}
        for target in Metadata[Targets].from_bytes(files[path]).signed.targets.values():
            place = target_path(target.path, target.hashes["sha256"])
            files[place] = self._read(place)
            for pinned in self._blobs_of(target.path, files[place], self._blob):
                files[blob_path(pinned.digest)] = self._blob(pinned)
        return files

    def _put(self, tag: str, files: dict[str, bytes]) -> None:
        empty = b"{}"
        for content in (empty, *files.values()):
            self._registry.put_blob(self._repository, content)
        manifest: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": ARTIFACT,
            "config": {"mediaType": EMPTY_TYPE, "digest": digest_of(empty), "size": len(empty)},
            "layers": [
                {
                    "mediaType": FILE,
                    "digest": digest_of(content),
                    "size": len(content),
                    "annotations": {TITLE: path},
                }
                for path, content in sorted(files.items())
            ],
        }
        stored = StoredManifest(canonical_json(manifest), MANIFEST_TYPE)
        self._registry.put_manifest(self._repository, stored, tag=tag)

    def _blob(self, pinned: Pinned) -> bytes:
        return self._read(blob_path(pinned.digest))

    def _read(self, path: str) -> bytes:
        content = self._site.read(path)
        if content is None:
            raise damaged("a file of the index is missing", path)
        return content
