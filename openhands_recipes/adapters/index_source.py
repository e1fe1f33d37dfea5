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
from tuf.ngclient.urllib3_fetcher import Urllib3Fetcher
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from openhands_recipes import __version__
from openhands_recipes.adapters.index_folder import TIMESTAMP

BASE = "index:/"
"""What python-tuf thinks is the host; the rest of its URLs are paths of an index."""
CHUNK = 1 << 16
NOT_FOUND = 404
ABSENT = frozenset({403, NOT_FOUND, 410})
"""403 is what object stores say of files that are not there."""


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
    """An index on a static host, over python-tuf's own client: httpx would double a reader's memory.

    Proxies and certificates come from the environment; redirects are followed, failures tried again.
    """

    def __init__(self, url: str, *, timeout: int = 30) -> None:
        self._url = url.rstrip("/")
        self._fetcher = Urllib3Fetcher(timeout, CHUNK, f"openhands-recipes/{__version__}")
        logging.getLogger("urllib3").setLevel(logging.ERROR)  # it warns of every try

    @property
    def where(self) -> str:
        """The URL without credentials."""
        return shown(self._url)

    def open(self, path: str) -> Iterator[bytes]:
        """A file, piece by piece."""
        try:
            yield from self._fetcher.fetch(f"{self._url}/{path}")
        except DownloadHTTPError as error:
            if error.status_code in ABSENT:
                raise SourceAbsent(path) from error
            raise DownloadError(f"it answers {error.status_code}") from error
        except SlowRetrievalError as error:
            reason = getattr(error.__cause__, "reason", None)
            if isinstance(reason, (NewConnectionError, ConnectTimeoutError)):  # nobody there is not slow
                raise DownloadError(_reason(reason)) from error
            raise
        except DownloadError as error:
            raise DownloadError(_reason(error.__cause__ or error)) from error
        except Exception as error:
            raise DownloadError(_reason(error)) from error


def _reason(error: BaseException) -> str:
    """What broke, without the layers of libraries around it."""
    inner = getattr(error, "reason", None)
    return _reason(inner) if isinstance(inner, BaseException) else str(error) or type(error).__name__


def shown(url: str) -> str:
    """A URL as it may be printed: without credentials."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"


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
