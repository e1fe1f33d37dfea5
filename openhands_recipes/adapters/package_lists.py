"""Packages files by the hashes of a verified Release: fetched compressed, kept uncompressed.

Both forms are checked against the Release's table. A list that is in the cache already costs no
network; it is hashed again whenever it is read.
"""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from openhands_recipes.adapters.blobs import BlobStore, Partial
from openhands_recipes.adapters.downloads import PooledDownloads
from openhands_recipes.adapters.http import Http
from openhands_recipes.adapters.transfer import MissingError, Place
from openhands_recipes.errors import DownloadError, VerificationError
from openhands_recipes.model.digest import Digest, digest_of, from_hex
from openhands_recipes.model.release import ListedFile, Release
from openhands_recipes.ports import Wanted

ENDINGS = (".xz", ".gz", "")
"""Best first."""
UNPACKERS = 2
PIECE = 1 << 20


@dataclass(frozen=True)
class ListOrder:
    """The packages of one suite for one architecture: one folder, or two where `all` stands apart."""

    suite: str
    architecture: str
    folders: tuple[str, ...]
    roots: tuple[str, ...]
    release: Release

    @property
    def known(self) -> bool:
        """Whether the Release has such packages at all."""
        return all(f"{folder}/Packages" in self.release.files for folder in self.folders)


class PackageLists:
    """Reads lists for `debian_archive`."""

    def __init__(self, *, blobs: BlobStore, http: Http) -> None:
        self._blobs = blobs
        self._http = http

    def read(self, orders: Sequence[ListOrder]) -> list[bytes]:
        """The uncompressed lists, one for each order.

        Raises:
            VerificationError: a list is not what the Release promises.
            DownloadError: no place has it.
        """
        needed = {
            source.digest: source
            for order in orders
            for folder in order.folders
            if self._blobs.path((source := _source(order, folder)).digest, size=source.used.size) is None
        }
        if needed:
            self._fetch(needed)
        return [self._content(order) for order in orders]

    def _fetch(self, needed: Mapping[Digest, _Source]) -> None:
        """Download compressed lists, unpacking each while others are still coming."""
        by_download = {source.wanted.digest: source for source in needed.values()}
        downloads = PooledDownloads(blobs=self._blobs, places=_ListPlaces(by_download), http=self._http)
        unpacking: list[Future[None]] = []
        with ThreadPoolExecutor(UNPACKERS) as pool:

            def unpack(wanted: Wanted, path: Path) -> None:
                unpacking.append(pool.submit(self._unpack, by_download[wanted.digest], path))

            try:
                downloads.fetch([source.wanted for source in by_download.values()], on_ready=unpack)
            except MissingError as error:
                raise DownloadError(
                    error.message,
                    where=error.where,
                    hint="the mirror is being updated: try again in some minutes, or use another one",
                ) from error
            for future in unpacking:
                future.result()

    def _unpack(self, source: _Source, path: Path) -> None:
        """Keep the uncompressed list, drop the compressed one."""
        if source.wanted.digest == source.digest:
            return
        partial = self._blobs.partial(source.digest)
        if partial is None:
            return
        with partial:
            partial.restart()  # an unpacking that was cut off cannot go on in the middle
            try:
                _copy(path, source, partial)
            except (lzma.LZMAError, zlib.error, EOFError, gzip.BadGzipFile) as error:
                raise VerificationError(
                    f"{source.wanted.name} cannot be unpacked ({error})", where=source.places[0].url
                ) from error
            partial.finish()
        self._blobs.discard(source.wanted.digest)

    def _content(self, order: ListOrder) -> bytes:
        parts = []
        for folder in order.folders:
            source = _source(order, folder)
            path = self._blobs.path(source.digest, size=source.used.size)
            content = path.read_bytes() if path else b""
            if digest_of(content) != source.digest:
                self._blobs.discard(source.digest)
                raise VerificationError(
                    f"{source.wanted.name} was damaged in the cache",
                    where=str(path),
                    hint="it has been removed: run the same command again",
                )
            parts.append(content)
        return b"\n".join(parts) if len(parts) > 1 else parts[0]


@dataclass(frozen=True)
class _Source:
    """One Packages file: as it is fetched, as it is used, and where it may be had."""

    fetched: ListedFile
    used: ListedFile
    suite: str
    roots: tuple[str, ...]
    by_hash: bool

    @property
    def digest(self) -> Digest:
        """Of the uncompressed list."""
        return from_hex(self.used.sha256)

    @property
    def wanted(self) -> Wanted:
        """The download of the compressed list."""
        return Wanted(
            name=f"{self.suite} {self.fetched.path}",
            digest=from_hex(self.fetched.sha256),
            size=self.fetched.size,
            origin="debian",
            path=f"dists/{self.suite}/{self.fetched.path}",
            suite=self.suite,
        )

    @property
    def places(self) -> tuple[Place, ...]:
        """By hash first: that name never changes its content while a mirror is updated."""
        folder = self.fetched.path.rpartition("/")[0]
        names = [self.fetched.path]
        if self.by_hash:
            names.insert(0, f"{folder}/by-hash/SHA256/{self.fetched.sha256}")
        return tuple(Place(f"{root}/dists/{self.suite}/{name}") for root in self.roots for name in names)


class _ListPlaces:
    """`downloads.Places` for lists."""

    def __init__(self, sources: Mapping[Digest, _Source]) -> None:
        self._sources = sources

    def of(self, wanted: Wanted) -> Sequence[Place]:
        return self._sources[wanted.digest].places


def _source(order: ListOrder, folder: str) -> _Source:
    """The best compressed form that the Release offers of a folder's list."""
    path = f"{folder}/Packages"
    ending = next(ending for ending in ENDINGS if path + ending in order.release.files)
    return _Source(
        fetched=order.release.files[path + ending],
        used=order.release.files[path],
        suite=order.suite,
        roots=order.roots,
        by_hash=order.release.by_hash,
    )


def _copy(path: Path, source: _Source, partial: Partial) -> None:
    """Unpack in pieces; a list that grows beyond its promised size is not read to its end."""
    with (lzma.LZMAFile if source.fetched.path.endswith(".xz") else gzip.GzipFile)(path) as stream:
        while piece := stream.read(PIECE):
            if partial.size + len(piece) > source.used.size:
                partial.restart()
                raise VerificationError(
                    f"{source.wanted.name} unpacks to more than {source.used.size:,} bytes",
                    where=source.places[0].url,
                )
            partial.write(piece)
