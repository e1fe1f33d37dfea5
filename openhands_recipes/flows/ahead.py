"""Parts on their way: downloaded and converted in the background, in the order they will be needed.

What a build needs first comes first, so the lowest level is configured while the packages of those above
it are still being fetched. Nothing is decided here about what is needed.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from openhands_recipes.errors import OutsideError
from openhands_recipes.flows.parts import Part
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.fragment import Fragment
from openhands_recipes.ports import Conversion, Wanted

LEAVE_SECONDS = 5.0
"""How long a failed run waits for conversions that are under way."""


AGAIN = "run the command again"


class _Left(Exception):  # noqa: N818 - not an error: nobody wants the rest any more
    """Ends the threads of a run that failed elsewhere."""


class Ahead:
    """One thread downloads batch after batch, another one has converted what came; any thread may wait.

    Whichever part fails first is what everybody who waits is told.
    """

    def __init__(self, shop: Workshop, batches: Iterable[Sequence[Part]]) -> None:
        """`batches`: what is needed, earlier ones first; parts with a cached fragment are not fetched."""
        self._shop = shop
        self._coming: set[Digest] = set()
        self._batches = [self._missing(batch) for batch in batches]
        self._by_digest: dict[Digest, list[Part]] = {}
        for part in (part for batch in self._batches for part in batch):
            self._by_digest.setdefault(part.wanted.digest, []).append(part)
        self._news = threading.Condition()
        self._failure: BaseException | None = None
        self._ready: queue.SimpleQueue[Conversion | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for name, target in (("download", self._download), ("converting", self._convert))
        ]

    def wait(self, parts: Iterable[Part]) -> None:
        """Return when the fragments of some parts are there.

        Raises:
            DownloadError: some bytes cannot be had.
            VerificationError: some bytes are not what the lock promises.
        """
        keys = {part.key for part in parts}
        with self._news:
            self._news.wait_for(lambda: self._failure is not None or not keys & self._coming)
            if keys & self._coming and self._failure is not None:
                raise self._failure

    def _missing(self, batch: Sequence[Part]) -> list[Part]:
        missing = {
            part.key: part
            for part in batch
            if part.key not in self._coming and self._shop.fragments.get(part.key) is None
        }
        self._coming.update(missing)
        return list(missing.values())

    def _download(self) -> None:
        fetched: set[Digest] = set()
        batches = []
        for batch in self._batches:
            wanted = {p.wanted.digest: p.wanted for p in batch if p.wanted.digest not in fetched}
            fetched.update(wanted)
            batches.append(list(wanted.values()))
        try:
            total = sum(one.size for batch in batches for one in batch)
            with self._shop.progress.stage("download", total=total, unit="bytes") as stage:
                for some in filter(None, batches):
                    self._shop.downloads().fetch(some, stage=stage, on_ready=self._arrived)
        except BaseException as error:  # noqa: BLE001 - carried over to whoever waits
            self._fail(error)
        finally:
            self._ready.put(None)

    def _arrived(self, wanted: Wanted, path: Path) -> None:
        self._go_on()
        for part in self._by_digest[wanted.digest]:
            self._ready.put(part.conversion(path))

    def _convert(self) -> None:
        try:
            with self._shop.progress.stage("convert", total=len(self._coming)) as stage:

                def done(conversion: Conversion, _fragment: Fragment) -> None:
                    stage.advance()
                    with self._news:
                        self._coming.discard(conversion.key)
                        self._news.notify_all()
                    self._go_on()

                self._shop.fragments.convert(self._arriving(), on_done=done)
        except BaseException as error:  # noqa: BLE001 - carried over to whoever waits
            self._fail(error)

    def _arriving(self) -> Iterator[Conversion]:
        while (conversion := self._ready.get()) is not None:
            yield conversion

    def _go_on(self) -> None:
        """Raise what went wrong elsewhere, so that this thread ends as well."""
        if self._failure is not None:
            raise self._failure

    def _fail(self, error: BaseException) -> None:
        with self._news:
            self._failure = self._failure or error
            self._news.notify_all()

    def __enter__(self) -> Self:
        if self._coming:
            for thread in self._threads:
                thread.start()
        else:
            self._threads = []
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._fail(_Left())
            self._ready.put(None)
        for thread in self._threads:
            thread.join(LEAVE_SECONDS if error is not None else None)


def fragments_of(shop: Workshop, parts: Sequence[Part]) -> dict[Digest, Fragment]:
    """Every part's fragment by key; parts with a cached fragment are not even downloaded.

    Raises:
        DownloadError: some bytes cannot be had.
        VerificationError: some bytes are not what the lock promises.
        OutsideError: a fragment vanished from the cache meanwhile.
    """
    with Ahead(shop, [parts]) as ahead:
        ahead.wait(parts)
    return {part.key: _there(shop, part) for part in parts}


def _there(shop: Workshop, part: Part) -> Fragment:
    fragment = shop.fragments.get(part.key)
    if fragment is None:
        raise OutsideError("a fragment is not in the cache any more", where=part.wanted.name, hint=AGAIN)
    return fragment
