"""A packed layer's tar, uncompressed while it is read, and checked against its diff id at the end."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, cast

import zstandard

from openhands_recipes.adapters.image_store import gone
from openhands_recipes.errors import VerificationError
from openhands_recipes.model.image import Compression, Layer

READ_BYTES = 1 << 20
_FAULTS = (zstandard.ZstdError, zlib.error, gzip.BadGzipFile, EOFError)


@contextmanager
def open_layer(path: Path, layer: Layer) -> Iterator[IO[bytes]]:
    """The tar of a layer whose blob lies at `path`.

    Raises:
        OutsideError: the blob is not there any more.
        VerificationError: from reading: the blob is damaged, or is another layer's.
    """
    with ExitStack() as stack:
        try:
            blob = stack.enter_context(path.open("rb"))
        except FileNotFoundError as error:
            raise gone(layer.digest) from error
        plain = stack.enter_context(_OPENERS[layer.compression](blob))
        yield cast("IO[bytes]", io.BufferedReader(_Checked(plain, layer), READ_BYTES))


def _zstd(blob: IO[bytes]) -> IO[bytes]:
    reader = zstandard.ZstdDecompressor().stream_reader(blob, READ_BYTES, read_across_frames=True)
    return cast("IO[bytes]", reader)


def _gzip(blob: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", gzip.GzipFile(fileobj=blob, mode="rb"))


_OPENERS: dict[Compression, Callable[[IO[bytes]], IO[bytes]]] = {
    "zstd": _zstd,
    "gzip": _gzip,
    "none": lambda blob: blob,
}


class _Checked(io.RawIOBase):
    """Passes a tar on, and compares what went through with the layer when it ends."""

    def __init__(self, plain: IO[bytes], layer: Layer) -> None:
        super().__init__()
        self._plain = plain
        self._layer = layer
        self._hash = hashlib.sha256()

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - any writable buffer
        """Fill a buffer; 0 at the end.

        Raises:
            VerificationError: the blob is damaged.
        """
        view = memoryview(buffer).cast("B")
        try:
            piece = self._plain.read(len(view))
        except _FAULTS as error:
            raise self._damaged() from error
        if not piece and f"sha256:{self._hash.hexdigest()}" != self._layer.diff_id:
            raise self._damaged()
        self._hash.update(piece)
        view[: len(piece)] = piece
        return len(piece)

    def _damaged(self) -> VerificationError:
        return VerificationError(
            "a layer in the cache is damaged",
            where=self._layer.digest,
            hint="remove it there and build again",
        )
