"""A blob to send, read in pieces and proven to be what it claims before its last piece is handed out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import IO

from openhands_recipes.adapters.registry.wire import Body
from openhands_recipes.errors import OutsideError, VerificationError
from openhands_recipes.model.digest import Digest, hex_of

PIECE = 256 * 1024


class BlobSource:
    """One blob, sent from any offset already seen, any number of times, hashed once as it is first read.

    Bytes that are not what the digest says never leave whole: the last piece is held back.
    """

    def __init__(
        self,
        digest: Digest,
        size: int,
        open_: Callable[[], IO[bytes]],
        *,
        on_sent: Callable[[int], None] | None = None,
    ) -> None:
        self.digest = digest
        self.size = size
        self.seen = 0
        """How far it was ever read; a registry cannot hold more of it."""
        self._open = open_
        self._on_sent = on_sent
        self._hash = hashlib.sha256()

    def body(self, start: int, end: int) -> Body:
        """The bytes from `start` (at most `seen`) up to `end` as a request's body.

        Raises (while being read):
            VerificationError: bytes or size are not what was promised.
            OutsideError: the blob cannot be read.
        """
        return Body(size=end - start, pieces=lambda: self._pieces(start, end))

    def _pieces(self, start: int, end: int) -> Iterator[bytes]:
        try:
            with self._open() as file:
                file.seek(start)
                position = start
                while position < end:
                    piece = file.read(min(PIECE, end - position))
                    if not piece:
                        raise self._changed("it ends early")
                    self._see(piece, position)
                    position += len(piece)
                    yield piece
        except OSError as error:
            raise OutsideError(
                f"the blob {self.digest} cannot be read: {error.strerror}",
                where=str(error.filename or ""),
                hint="build the image again",
            ) from error

    def _see(self, piece: bytes, position: int) -> None:
        fresh = piece[max(0, self.seen - position) :]
        if not fresh:
            return
        self._hash.update(fresh)
        self.seen += len(fresh)
        if self.seen == self.size and self._hash.hexdigest() != hex_of(self.digest):
            raise self._changed("its bytes have another digest")
        if self._on_sent:
            self._on_sent(len(fresh))

    def _changed(self, how: str) -> VerificationError:
        return VerificationError(
            f"a blob in the cache is not what it was when it was built: {how}",
            where=self.digest,
            hint="build the image again; nothing was published",
        )
