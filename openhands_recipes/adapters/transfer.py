"""One wanted file, from one of several places into its partial file: resumed, counted, verified.

It knows nothing of other files; `downloads` runs many of these side by side.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from openhands_recipes.adapters.blobs import Partial, Stopped
from openhands_recipes.adapters.http import (
    Absent,
    Http,
    HttpFault,
    NoSuchRange,
    PassingFault,
    WrongBytes,
    shown,
)
from openhands_recipes.errors import DownloadError, RecipesError, VerificationError
from openhands_recipes.ports import Wanted

HASTY_ATTEMPTS = 3
"""Attempts at a place while another one is left to ask."""


@dataclass(frozen=True)
class Place:
    """A URL that may have the bytes; one of `last_resort` is asked after all others."""

    url: str
    last_resort: bool = False

    @property
    def host(self) -> str:
        """Host and port, to remember who does not answer."""
        return urlsplit(self.url).netloc


class MissingError(DownloadError):
    """Every place answers that it has no such file."""


class Transfer:
    """Brings one file; `report(received, gained)` hears of bytes received and of progress made."""

    def __init__(
        self, wanted: Wanted, *, http: Http, stop: threading.Event, report: Callable[[int, int], None]
    ) -> None:
        self._wanted = wanted
        self._http = http
        self._stop = stop
        self._report = report
        self._furthest = 0

    def fetch(self, places: Sequence[Place], partial: Partial, silent_hosts: set[str]) -> Path:
        """The finished blob, from the first place that gives the right bytes.

        `silent_hosts` are asked last and once; hosts that do not answer are added to it.

        Raises:
            MissingError: no place has it.
            VerificationError: a place gave wrong bytes, and none the right ones.
            DownloadError: the network gave up.
            Stopped: `stop` was set; the partial file can be continued.
        """
        self._gain(0, min(partial.size, self._wanted.size))
        ordered = sorted(places, key=lambda place: (place.last_resort, place.host in silent_hosts))
        faults: list[tuple[Place, HttpFault]] = []
        for number, place in enumerate(ordered, start=1):
            attempts = HASTY_ATTEMPTS if number < len(ordered) else None
            if place.host in silent_hosts and len(ordered) > 1:
                attempts = 1
            try:
                self._from_place(place, partial, attempts)
            except HttpFault as fault:
                faults.append((place, fault))
                if isinstance(fault, PassingFault):
                    silent_hosts.add(place.host)
            else:
                silent_hosts.discard(place.host)
                return partial.finish()
        raise verdict(self._wanted, faults)

    def _from_place(self, place: Place, partial: Partial, attempts: int | None) -> None:
        """All attempts at one place; they start anew as long as each round gets further."""
        while True:
            before = self._furthest
            try:
                self._http.patience.attempts_of(attempts=attempts, stop=self._stop)(
                    self._attempt, place.url, partial
                )
            except PassingFault:
                if self._furthest <= before:
                    raise
            else:
                return

    def _attempt(self, url: str, partial: Partial) -> None:
        """Fill the partial file up; what an earlier attempt left is trusted only until the hash is known."""
        resumed = partial.size
        if resumed >= self._wanted.size and resumed:
            if partial.size == self._wanted.size and partial.matches():
                return
            partial.restart()
            resumed = 0
        try:
            self._receive(url, partial)
        except (NoSuchRange, WrongBytes):
            partial.restart()
            if not resumed:
                raise
            self._attempt(url, partial)

    def _receive(self, url: str, partial: Partial) -> None:
        headers = {"Accept-Encoding": "identity"}
        if partial.size:
            headers["Range"] = f"bytes={partial.size}-"
        with self._http.stream(url, headers) as response:
            if partial.size and not _continues(response, partial.size):
                partial.restart()
            if response.status_code == httpx.codes.PARTIAL_CONTENT and not partial.size:
                raise PassingFault("answers with another part than asked for")
            self._check_stop()
            for chunk in response.iter_raw():
                if partial.size + len(chunk) > self._wanted.size:
                    raise WrongBytes(f"serves more than {self._wanted.size:,} bytes")
                partial.write(chunk)
                self._gain(len(chunk), partial.size)
                self._check_stop()
            whole = {"content-length", "transfer-encoding"} & set(response.headers)
        if partial.size < self._wanted.size:
            reason = f"serves {partial.size:,} of {self._wanted.size:,} bytes"
            raise WrongBytes(reason) if whole else PassingFault(reason)
        if not partial.matches():
            raise WrongBytes(f"serves other bytes than sha256 {self._wanted.digest.partition(':')[2][:12]}…")

    def _gain(self, received: int, size: int) -> None:
        gained = max(0, size - self._furthest)
        self._furthest += gained
        self._report(received, gained)

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise Stopped


def _continues(response: httpx.Response, start: int) -> bool:
    """Whether the answer goes on where we stopped (RFC 9110, section 14.4), not from the beginning."""
    content_range = response.headers.get("content-range", "")
    return response.status_code == httpx.codes.PARTIAL_CONTENT and content_range.startswith(f"bytes {start}-")


def verdict(wanted: Wanted, faults: Sequence[tuple[Place, HttpFault]]) -> RecipesError:
    """What to say when no place gave the right bytes."""
    where = "\n      ".join(f"{shown(place.url)} {fault.reason}" for place, fault in faults) or wanted.path
    if any(isinstance(fault, WrongBytes) for _, fault in faults):
        return VerificationError(
            f"{wanted.name} is not what was promised, and no place has the right bytes",
            where=where,
            hint="the place was tampered with or replaced a released file: try another one",
        )
    if all(isinstance(fault, Absent) for _, fault in faults):
        return MissingError(
            f"no place has {wanted.name} any more", where=where, hint=hint_for_missing(wanted)
        )
    return DownloadError(
        f"{wanted.name} could not be downloaded",
        where=where,
        hint="check the network and try again: what has arrived is kept",
    )


def hint_for_missing(wanted: Wanted) -> str:
    """How to get over a file that is gone for good."""
    hint = "run `ohr lock --update` to lock what is available now"
    if wanted.origin == "debian":
        hint += ", or set OHR_DEBIAN_SNAPSHOT to a snapshot archive of the lock's date"
    return hint
