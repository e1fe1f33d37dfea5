"""Where the files of somebody's index come from: static host, folder, registry. Nothing is verified here.

Whoever serves an index is not trusted: how much and how slowly it may answer is bounded by the reader.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError
from tuf.ngclient.fetcher import FetcherInterface

from openhands_recipes.adapters.http import Absent, Http, HttpFault, Refused, shown
from openhands_recipes.adapters.index_folder import TIMESTAMP

log = logging.getLogger(__name__)

BASE = "index:/"
"""What python-tuf thinks is the host; the rest of its URLs are paths of an index."""
CHUNK = 1 << 16
FORBIDDEN = 403
NOT_FOUND = 404


class SourceAbsent(Exception):  # noqa: N818 - often what a reader expects
    """The source answers, and does not have the file."""


class IndexSource(Protocol):
    """Bytes of an index's files."""

    @property
    def where(self) -> str:
        """As people know it."""

    def open(self, path: str) -> Iterator[bytes]:
        """A file, piece by piece.

        Raises:
            SourceAbsent: there is no such file.
            DownloadError: python-tuf's: it cannot be had.
        """


class FolderSource:
    """An index in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def where(self) -> str:
        """The folder."""
        return str(self._folder)

    def open(self, path: str) -> Iterator[bytes]:
        """A file, piece by piece."""
        try:
            with (self._folder / path).open("rb") as stream:
                while chunk := stream.read(CHUNK):
                    yield chunk
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SourceAbsent(path) from error
        except OSError as error:
            raise DownloadError(f"{path}: {error.strerror}") from error


class HttpSource:
    """An index on a static host."""

    def __init__(self, http: Http, url: str) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self.requests = 0
        self.received = 0

    @property
    def where(self) -> str:
        """The URL without credentials."""
        return shown(self._url)

    def open(self, path: str) -> Iterator[bytes]:
        """A file, piece by piece."""
        self.requests += 1
        try:
            with self._http.stream(f"{self._url}/{path}") as response:
                before = 0
                for chunk in response.iter_bytes():
                    self.received += response.num_bytes_downloaded - before
                    before = response.num_bytes_downloaded
                    yield chunk
        except Absent as error:
            raise SourceAbsent(path) from error
        except Refused as error:
            if error.reason.startswith(f"answers {FORBIDDEN}"):  # what object stores say of absent files
                raise SourceAbsent(path) from error
            raise DownloadError(error.reason) from error
        except HttpFault as error:
            raise DownloadError(error.reason) from error


@dataclass(frozen=True)
class Pace:
    """How slow a source may be: after `grace` seconds, `least` bytes a second on average."""

    grace: float = 20.0
    least: int = 1000


class IndexFetcher(FetcherInterface):
    """Fetches for python-tuf, which bounds the length; the pace is bounded here.

    Offline, timestamp and snapshot are those `kept` before, so that dates and signatures are checked as ever.
    """

    def __init__(self, source: IndexSource, pace: Pace, kept: Callable[[str], bytes | None]) -> None:
        self._source = source
        self._pace = pace
        self._kept = kept
        self.offline = False

    def _fetch(self, url: str) -> Iterator[bytes]:
        path = url.removeprefix(BASE)
        if self.offline:
            return iter((self._known(path),))
        pieces = self.pieces(path)
        try:  # a status must be known before the body is read
            first = next(pieces, b"")
        except SourceAbsent as error:
            raise DownloadHTTPError(f"{path} is not there", NOT_FOUND) from error
        return _chained(first, pieces)

    def pieces(self, path: str) -> Iterator[bytes]:
        """A file's bytes, as long as they come fast enough.

        Raises:
            SlowRetrievalError: they do not.
        """
        began, received = time.monotonic(), 0
        for chunk in self._source.open(path):
            received += len(chunk)
            seconds = time.monotonic() - began
            if seconds > self._pace.grace and received < seconds * self._pace.least:
                raise SlowRetrievalError(f"{received} bytes of {path} in {seconds:.0f} s")
            yield chunk

    def _known(self, path: str) -> bytes:
        if path.endswith(".root.json"):
            raise DownloadHTTPError("no newer root is known", NOT_FOUND)
        role = path.removesuffix(".json").rpartition(".")[2] if path != TIMESTAMP else "timestamp"
        content = self._kept(role) if role in ("timestamp", "snapshot") else None
        if content is None:
            raise DownloadError(f"{path} is not in the cache")
        return content


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
