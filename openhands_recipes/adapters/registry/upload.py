"""Bring one blob into a repository: in one piece, or in chunks that survive a cut connection.

Distribution-spec 1.1, "Pushing blobs". Registries differ: some refuse chunks above a few MiB, some report
ranges that do not move, some forget a session whose chunk was cut. What one was found to do is kept in
`Habits`, so that the next blob does not run into it again; the way out is always a plain single PUT.
"""

from __future__ import annotations

import logging
import re
from urllib.parse import quote

from openhands_recipes.adapters.registry.faults import Answer
from openhands_recipes.adapters.registry.repository import Target, cancel, check_digest, has_blob
from openhands_recipes.adapters.registry.retry import BrokenOffError
from openhands_recipes.adapters.registry.source import BlobSource
from openhands_recipes.adapters.registry.wire import Request, body_of
from openhands_recipes.errors import RegistryError, VerificationError

log = logging.getLogger(__name__)

_BYTES = {"Content-Type": "application/octet-stream"}


class SessionLostError(BrokenOffError):
    """The registry does not know the upload any more; it starts anew."""


class ChunksRefusedError(RegistryError):
    """The registry cannot take chunks; the blob goes in one piece."""


class Upload:
    """One blob on its way."""

    def __init__(self, target: Target, source: BlobSource) -> None:
        self._target = target
        self._source = source
        self._connection = target.connection
        self._failures = 0
        self._furthest = 0

    def send(self, opened: Answer | None = None) -> None:
        """Send the blob; `opened` is the answer to a mount that opened an upload instead.

        Raises:
            RegistryError: refused, or broken off more often than patience allows.
            VerificationError: the blob or what the registry stored of it is not what it should be.
        """
        while True:
            url = self._adopt(opened or self._open())
            opened = None
            try:
                self._send_to(url)
            except ChunksRefusedError as error:
                log.info("%s; sending blobs whole", error.message)
                self._target.habits.chunk = None
                cancel(self._target, url)
            except VerificationError:
                cancel(self._target, url)
                raise
            except BrokenOffError as fault:
                self._wait(fault)
                if self._landed():
                    return
            else:
                return

    def _open(self) -> Answer:
        """Start an upload session."""
        answer = self._connection.call(
            Request("POST", self._target.url("blobs/uploads/"), body=body_of(b""), scopes=self._target.scopes)
        )
        if answer.status != 202:
            raise self._target.refusal(answer)
        return answer

    def _adopt(self, answer: Answer) -> str:
        """Where to send, and the smallest chunk the registry wants."""
        least, chunk = answer.headers.get("oci-chunk-min-length", ""), self._target.habits.chunk
        if chunk is not None and least.isdigit() and int(least) > chunk:
            self._target.habits.chunk = int(least)
        return self._connection.location(answer)

    def _send_to(self, url: str) -> None:
        if self._source.size <= self._target.habits.small or self._target.habits.chunk is None:
            self._finish(url, 0)
        else:
            self._send_chunks(url)

    def _send_chunks(self, url: str) -> None:
        offset = 0
        while True:
            try:
                while offset < self._source.size:
                    offset, url = self._send_chunk(url, offset)
                    if offset > self._furthest:
                        self._furthest, self._failures = offset, 0
                self._finish(url, offset)
            except SessionLostError:
                raise
            except BrokenOffError as fault:
                self._wait(fault)
                if offset == self._source.size and self._landed():
                    return
                offset, url = self._status(url)
                log.info("going on from byte %d of %s", offset, self._source.digest)
            else:
                return

    def _send_chunk(self, url: str, offset: int) -> tuple[int, str]:
        """Send one chunk; where to go on, and with which address."""
        end = min(self._source.size, offset + (self._target.habits.chunk or self._source.size))
        headers = _BYTES | {"Content-Range": f"{offset}-{end - 1}"}
        answer = self._put("PATCH", url, headers, offset, end)
        match answer.status:
            case 202 | 201 | 204:
                stored = stored_bytes(answer, default=end)
                if offset < stored <= end:
                    return stored, self._connection.location(answer)
                raise ChunksRefusedError(f"the registry says it has {stored} bytes after {end} were sent")
            case 413 | 416:
                return self._refit(answer, url, offset)
            case 404:
                raise self._lost(answer)
            case 400 | 405 | 411 | 415 | 501 if offset == 0:
                raise ChunksRefusedError(f"the registry refused a chunk with {answer.status}")
        raise self._target.refusal(answer)

    def _refit(self, answer: Answer, url: str, offset: int) -> tuple[int, str]:
        """A chunk did not fit: at the wrong place, or too large."""
        stored, url = self._status(url) if offset else (0, url)
        if stored != offset or self._target.habits.shrink():
            return stored, url
        raise ChunksRefusedError(f"the registry refused a chunk with {answer.status}")

    def _finish(self, url: str, offset: int) -> None:
        """Send what is left (all, or nothing) and have the registry check the digest."""
        joint = "&" if "?" in url else "?"
        digest = quote(self._source.digest, safe="")
        answer = self._put("PUT", f"{url}{joint}digest={digest}", _BYTES, offset, self._source.size)
        if answer.status == 404 and offset:
            raise self._lost(answer)
        if answer.status not in (201, 202, 204):
            raise self._target.refusal(answer)
        check_digest(answer, self._source.digest)

    def _put(self, method: str, url: str, headers: dict[str, str], start: int, end: int) -> Answer:
        body = self._source.body(start, end)
        return self._connection.call_once(Request(method, url, headers, body, self._target.scopes))

    def _status(self, url: str) -> tuple[int, str]:
        """How much of the upload the registry has (distribution-spec: GET on the upload)."""
        answer = self._connection.call(Request("GET", url, scopes=self._target.scopes))
        # "0-0" may mean no byte or one: both are nothing worth keeping.
        stored = stored_bytes(answer, default=0) if answer.status in (200, 204) else 0
        if not 1 < stored <= self._source.seen:
            raise self._lost(answer)
        return stored, self._connection.location(answer) if "location" in answer.headers else url

    def _landed(self) -> bool:
        """Whether the blob is there after all: only the answer to its last request may have been lost."""
        return has_blob(self._target, self._source.digest, self._source.size)

    def _wait(self, fault: BrokenOffError) -> None:
        self._failures += 1
        delay = self._connection.patience.delay(fault, self._failures)
        log.info("%s; trying again in %.1f s", fault.message, delay)
        self._connection.pause(delay)

    def _lost(self, answer: Answer) -> SessionLostError:
        return SessionLostError(
            "the registry forgot an upload that had been cut", where=answer.where, retry_after=0
        )


def stored_bytes(answer: Answer, *, default: int) -> int:
    """How many bytes a `Range: 0-<last>` header (with or without `bytes=`) speaks of."""
    match = re.fullmatch(r"(?:bytes=)?0-(\d+)", answer.headers.get("range", "").strip())
    return int(match[1]) + 1 if match else default
