"""A copy of somebody's index in a folder, byte for byte: readers verify it as they verify the original.

Only what is new is fetched; everything is verified before it is kept, and the timestamp is replaced last, so
a copy that broke off still is the older index, whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tuf.api.exceptions import DownloadError, LengthOrHashMismatchError, RepositoryError
from tuf.api.metadata import Metadata, TargetFile, Targets

from openhands_recipes.adapters.index_folder import (
    TIMESTAMP,
    IndexFolder,
    blob_path,
    metadata_path,
    target_path,
)
from openhands_recipes.adapters.index_source import SourceAbsent
from openhands_recipes.adapters.tuf_client import LIMITS, TrustedFiles, TufIndexReader
from openhands_recipes.adapters.tuf_faults import ENDLESS, MISSING, MIXED, translated
from openhands_recipes.adapters.tuf_state import check
from openhands_recipes.errors import VerificationError
from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.model.index import Pinned
from openhands_recipes.ports import Stage

BlobsOf = Callable[[str, bytes, Callable[[Pinned], bytes]], Iterator[Pinned]]
"""The blobs a target names (`publish.index.chain`)."""


@dataclass
class MirrorReport:
    """What a copy took."""

    files: int = 0
    bytes: int = 0
    bins: int = 0


class IndexMirror:
    """Copies an index that is being read into a folder."""

    def __init__(self, reader: TufIndexReader, site: IndexFolder, *, blobs_of: BlobsOf) -> None:
        self._reader = reader
        self._site = site
        self._blobs_of = blobs_of
        self._report = MirrorReport()

    def copy(self, stage: Stage) -> MirrorReport:
        """Bring the folder up to date.

        Raises:
            VerificationError: the original cannot be trusted, or lacks something.
            DownloadError: it cannot be reached.
        """
        with self._site.locked():
            trusted = self._reader.trusted_files()
            self._report.bins = len(trusted.bins)
            for name in trusted.bins:
                self._bin(trusted, name)
                stage.advance()
            for path, content in trusted.files.items():
                if path != TIMESTAMP:
                    self._keep(path, content)
            self._site.settle()
            self._site.write(TIMESTAMP, trusted.files[TIMESTAMP], durable=True)
        return self._report

    def _bin(self, trusted: TrustedFiles, name: str) -> None:
        """A bin whose metadata is here is here as a whole: its metadata is written last."""
        version = trusted.version_of(name)
        path = metadata_path(name, version)
        if self._site.read(path) is not None:
            return
        content = self._fetch(path, LIMITS.targets_max_length)
        try:
            metadata: Metadata[Targets] = Metadata[Targets].from_bytes(content)
        except RepositoryError as error:
            raise translated(error, where=path) from error
        check(trusted.targets, name, metadata)
        if metadata.signed.version != version:
            raise VerificationError("the files of the index do not belong together", where=path, code=MIXED)
        for target in metadata.signed.targets.values():
            self._target(target)
        self._keep(path, content)

    def _target(self, target: TargetFile) -> None:
        path = target_path(target.path, target.hashes["sha256"])
        if self._site.has(path, target.length):
            return
        content = self._fetch(path, target.length)
        try:
            target.verify_length_and_hashes(content)
        except LengthOrHashMismatchError as error:
            raise translated(error, where=path) from error
        for pinned in self._blobs_of(target.path, content, self._blob):
            self._blob(pinned)
        self._keep(path, content)

    def _blob(self, pinned: Pinned) -> bytes:
        path = blob_path(pinned.digest)
        known = self._site.read(path)
        if known is not None and digest_of(known) == pinned.digest:
            return known
        content = self._reader.blob(pinned)
        self._keep(path, content)
        return content

    def _fetch(self, path: str, limit: int) -> bytes:
        content = bytearray()
        try:
            for piece in self._reader.pieces(path):
                content += piece
                if len(content) > limit:
                    raise VerificationError(
                        "the index's host sends more than was signed", where=path, code=ENDLESS
                    )
        except SourceAbsent as error:
            raise VerificationError(
                "the index's host lacks a file that was signed", where=path, code=MISSING
            ) from error
        except DownloadError as error:
            raise translated(error, where=path) from error
        return bytes(content)

    def _keep(self, path: str, content: bytes) -> None:
        if self._site.read(path) == content:
            return
        self._site.write(path, content)
        self._report.files += 1
        self._report.bytes += len(content)


def digest_in(path: str) -> Digest:
    """The digest in the name of a target's or blob's file."""
    return Digest("sha256:" + path.rpartition("/")[2].partition(".")[0])
