"""Many files at once into the blob cache: a bounded pool of threads over kept-alive connections.

It does not know where files come from; `Places` tells (see `origins`).
"""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.http import Http
from openhands_recipes.adapters.transfer import MissingError, Place, Transfer
from openhands_recipes.errors import DownloadError, OutsideError
from openhands_recipes.model.digest import Digest
from openhands_recipes.ports import Stage, Wanted

SHOWN_MISSING = 10
LEAVE_SECONDS = 1.0


class Places(Protocol):
    """Knows where wanted files may be had."""

    def of(self, wanted: Wanted) -> Sequence[Place]:
        """Places to ask, best first; called from the pool's threads, so it may ask an index.

        Raises:
            RecipesError: nothing is configured for its origin, or the index fails.
        """


@dataclass(frozen=True)
class _Received:
    """Bytes that came over the network, and by how much a file got further than ever before."""

    received: int
    gained: int


@dataclass(frozen=True)
class _Ended:
    """A file is complete, or failed."""

    wanted: Wanted
    path: Path | None = None
    fault: BaseException | None = None


@dataclass
class _Run:
    """What the threads of one `fetch` share."""

    todo: queue.SimpleQueue[Wanted] = field(default_factory=queue.SimpleQueue)
    events: queue.SimpleQueue[_Received | _Ended] = field(default_factory=queue.SimpleQueue)
    stop: threading.Event = field(default_factory=threading.Event)


class PooledDownloads:
    """`ports.Downloads`: bounded, pooled, resumed, verified while reading."""

    def __init__(self, *, blobs: BlobStore, places: Places, http: Http) -> None:
        self._blobs = blobs
        self._places = places
        self._http = http
        self._silent_hosts: set[str] = set()

    def fetch(
        self,
        wanted: Sequence[Wanted],
        *,
        stage: Stage | None = None,
        on_ready: Callable[[Wanted, Path], None] | None = None,
    ) -> int:
        """Have all of them in the cache; return how many bytes came over the network.

        Files known already are handed over first, while the others are on their way. Files that no
        place has are reported together; any other failure ends all at once.

        Raises:
            DownloadError: no place has it, or the network gave up.
            VerificationError: a place served other bytes than promised.
            OutsideError: the cache cannot be written or is full.
        """
        by_digest: dict[Digest, list[Wanted]] = {}
        for item in wanted:
            by_digest.setdefault(item.digest, []).append(item)

        def hand_over(digest: Digest, path: Path) -> None:
            for item in by_digest[digest]:
                if on_ready is not None:
                    on_ready(item, path)

        known = {d: self._blobs.path(d, size=items[0].size) for d, items in by_digest.items()}
        missing = [by_digest[digest][0] for digest, path in known.items() if path is None]
        self._check_room(missing)
        run = _Run()
        threads = self._start(run, missing)
        try:
            for digest, path in known.items():
                if path is not None:
                    _advance(stage, by_digest[digest][0].size)
                    hand_over(digest, path)
            return _follow(run, len(missing), stage, hand_over)
        finally:
            run.stop.set()
            leave = time.monotonic() + LEAVE_SECONDS
            for thread in threads:
                thread.join(max(0.0, leave - time.monotonic()))

    def _check_room(self, missing: Sequence[Wanted]) -> None:
        """Fail before the first byte where the disk cannot hold them all."""
        if not missing:
            return
        needed = sum(item.size - min(item.size, self._blobs.partial_size(item.digest)) for item in missing)
        free = shutil.disk_usage(self._blobs.folder).free
        if needed > free:
            raise OutsideError(
                f"no room left for the cache: {needed:,} bytes are needed, {free:,} are free",
                where=str(self._blobs.folder),
                hint="free some space there, or set OHR_CACHE to a folder with more room",
            )

    def _start(self, run: _Run, missing: Sequence[Wanted]) -> list[threading.Thread]:
        """Start the threads; the largest files first, so that none of them is left over at the end.

        They are daemons: a place that is silent must not keep an interrupted process waiting.
        """
        for item in sorted(missing, key=lambda item: (-item.size, item.digest)):
            run.todo.put(item)
        count = min(self._http.connections, len(missing))
        threads = [
            threading.Thread(target=self._work, args=(run,), name=f"download-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in threads:
            thread.start()
        return threads

    def _work(self, run: _Run) -> None:
        while not run.stop.is_set():
            try:
                wanted = run.todo.get_nowait()
            except queue.Empty:
                return
            try:
                run.events.put(_Ended(wanted, path=self._bring(wanted, run)))
            except BaseException as fault:  # noqa: BLE001 - raised again in the caller's thread
                run.events.put(_Ended(wanted, fault=fault))

    def _bring(self, wanted: Wanted, run: _Run) -> Path:
        def report(received: int, gained: int) -> None:
            if received or gained:
                run.events.put(_Received(received, gained))

        places = self._places.of(wanted)
        partial = self._blobs.partial(wanted.digest, stop=run.stop)
        if partial is None:
            path = self._blobs.path(wanted.digest)
            report(0, wanted.size)
            return path if path is not None else self._bring(wanted, run)
        with partial:
            transfer = Transfer(wanted, http=self._http, stop=run.stop, report=report)
            return transfer.fetch(places, partial, self._silent_hosts)


def _follow(run: _Run, remaining: int, stage: Stage | None, hand_over: Callable[[Digest, Path], None]) -> int:
    """Hear the threads out until every file has ended; return the bytes received."""
    received = 0
    lost: list[MissingError] = []
    while remaining:
        match run.events.get():
            case _Received() as progress:
                received += progress.received
                _advance(stage, progress.gained)
            case _Ended(wanted=wanted, path=Path() as path):
                remaining -= 1
                hand_over(wanted.digest, path)
            case _Ended(fault=MissingError() as fault):
                remaining -= 1
                lost.append(fault)
            case _Ended(fault=fault):
                assert fault is not None  # noqa: S101 - an end is a path or a fault
                raise fault
    if lost:
        raise _all_lost(lost)
    return received


def _all_lost(lost: Sequence[MissingError]) -> DownloadError:
    if len(lost) == 1:
        return lost[0]
    places = sorted(fault.where or "" for fault in lost)
    if len(places) > SHOWN_MISSING:
        places[SHOWN_MISSING:] = [f"and {len(places) - SHOWN_MISSING} more"]
    return DownloadError(
        f"no place has {len(lost)} of the wanted files any more",
        where="\n      ".join(places),
        hint=lost[0].hint,
    )


def _advance(stage: Stage | None, amount: int) -> None:
    if stage is not None and amount:
        stage.advance(amount)
