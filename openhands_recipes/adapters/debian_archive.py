"""Debian's suites as the mirrors hold them now: signed, dated, and their package lists by hash.

Trust goes one way: our keys -> InRelease -> its SHA256 table -> Packages. Nothing is used before the
link above it has been checked. Reading the text of an InRelease is a pure step, handed in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from openhands_recipes.adapters.apt_sources import HINT, DebianSources
from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.http import Http, HttpFault, shown
from openhands_recipes.adapters.openpgp import Keyring, UnknownSignerError
from openhands_recipes.adapters.package_lists import ListOrder, PackageLists
from openhands_recipes.errors import DownloadError, ResolutionError, VerificationError
from openhands_recipes.model.digest import Digest, digest_of, digest_of_json
from openhands_recipes.model.release import Release
from openhands_recipes.ports import Clock, DebianState, PackageList

log = logging.getLogger(__name__)

COMPONENT = "main"
SKEW = timedelta(hours=24)
"""How far a mirror's Date may lie ahead of this machine's clock."""


class ParseRelease(Protocol):
    """The pure step that reads a Release file's text (`compile.debian.release.parse_release`)."""

    def __call__(self, content: bytes, *, where: str) -> Release:
        """The text as a value."""


@dataclass(frozen=True)
class _Suite:
    """A suite as one mirror proved it."""

    name: str
    root: str
    release: Release
    digest: Digest


class DebianMirrors:
    """`ports.DebianArchive` over the machine's mirrors; a snapshot archive is asked last."""

    def __init__(  # noqa: PLR0913 - the doors and values it stands on, all by name
        self,
        *,
        sources: Callable[[], DebianSources],
        keys: Callable[[], Keyring],
        clock: Clock,
        parse_release: ParseRelease,
        blobs: BlobStore,
        http: Http,
    ) -> None:
        self._sources = sources
        self._keys = keys
        self._clock = clock
        self._parse_release = parse_release
        self._http = http
        self._lists = PackageLists(blobs=blobs, http=http)

    def state(
        self,
        suites: Sequence[str],
        architectures: Sequence[str],
        *,
        not_before: str = "",
        allow_expired: bool = False,
    ) -> DebianState:
        """The current state of some suites, signatures and dates checked.

        Lists come in the order of `suites`, then of `architectures`. With an unchanged InRelease nothing
        else is downloaded.

        Raises:
            VerificationError: bad signature, wrong hash, expired, or older than `not_before`.
            DownloadError: no mirror answers.
            ResolutionError: a suite has no packages for an architecture.
        """
        sources, keys = self._sources(), self._keys()

        def prove(name: str) -> _Suite:
            return self._prove(name, sources, keys, allow_expired=allow_expired)

        with ThreadPoolExecutor(max(1, min(len(suites), self._http.connections))) as pool:
            proven = list(pool.map(prove, suites))
        newest = max(suite.release.date for suite in proven)
        if not_before and newest < _moment(not_before):
            raise VerificationError(
                f"the mirrors are older than the lock: {_iso(newest)} against {not_before}",
                where=", ".join(shown(suite.root) for suite in proven),
                hint="a mirror lags behind or holds updates back: use another one, or lock again later",
            )
        orders = [_order(suite, architecture, sources) for suite in proven for architecture in architectures]
        contents = self._lists.read(orders)
        return DebianState(
            suites=tuple(suites),
            release_date=_iso(newest),
            release=digest_of_json([suite.digest for suite in proven]),
            lists=tuple(
                PackageList(order.suite, order.architecture, content)
                for order, content in zip(orders, contents, strict=True)
            ),
        )

    def _prove(self, name: str, sources: DebianSources, keys: Keyring, *, allow_expired: bool) -> _Suite:
        """The suite from the first place that has it under Debian's signature.

        A place signed by unknown keys is another archive (apt configurations name many), so the next one
        is asked; a broken signature of Debian's keys ends the search.
        """
        faults: list[str] = []
        strangers: list[UnknownSignerError] = []
        roots = (*sources.roots(name), *sources.snapshot_roots(name))
        for number, root in enumerate(roots, start=1):
            where = f"{root}/dists/{name}/InRelease"
            try:
                document = self._http.get(where, attempts=3 if number < len(roots) else None)
                signed = keys.verify(document.content, where=shown(where))
            except HttpFault as fault:
                faults.append(f"{shown(where)} {fault.reason}")
            except UnknownSignerError as stranger:
                log.warning("%s is not Debian's: %s", shown(where), stranger.message)
                strangers.append(stranger)
            else:
                release = self._parse_release(signed.content, where=shown(where))
                self._check(name, release, shown(where), allow_expired=allow_expired)
                return _Suite(name, root, release, digest_of(document.content))
        if strangers:
            raise strangers[0]
        raise DownloadError(
            f"no mirror answers for {name}",
            where="\n      ".join(faults) or None,
            hint=f"check the network and try again, or {HINT}",
        )

    def _check(self, name: str, release: Release, where: str, *, allow_expired: bool) -> None:
        """It is the suite that was asked for, and of today."""
        if not release.is_suite(name):
            raise VerificationError(
                f"asked for {name}, the mirror answers with {release.codename or release.suite}",
                where=where,
                hint="the mirror is broken or replays another suite: use another one",
            )
        now = self._clock.now()
        if release.valid_until is not None and release.valid_until < now:
            if not allow_expired:
                raise VerificationError(
                    f"{name} expired on {_iso(release.valid_until)}, it is {_iso(now)} now",
                    where=where,
                    hint="the mirror is stale: use another one, or take it with --unsafe-expired-release",
                )
            log.warning("%s expired on %s and is used all the same", name, _iso(release.valid_until))
        if release.date > now + SKEW and not allow_expired:
            raise VerificationError(
                f"{name} is dated {_iso(release.date)}, but it is only {_iso(now)}",
                where=where,
                hint="set this machine's clock",
            )


def _order(suite: _Suite, architecture: str, sources: DebianSources) -> ListOrder:
    """What to fetch for one suite and architecture, asking first who proved the suite."""
    folders = [f"{COMPONENT}/binary-{architecture}"]
    apart = f"{COMPONENT}/binary-all"
    if not suite.release.all_in_each and apart not in folders and f"{apart}/Packages" in suite.release.files:
        folders.append(apart)
    roots = dict.fromkeys((suite.root, *sources.roots(suite.name), *sources.snapshot_roots(suite.name)))
    order = ListOrder(
        suite=suite.name,
        architecture=architecture,
        folders=tuple(folders),
        roots=tuple(roots),
        release=suite.release,
    )
    if not order.known:
        raise ResolutionError(
            f"{suite.name} has no packages for {architecture}",
            where=shown(suite.root),
            hint=f"it has them for {', '.join(suite.release.architectures)}",
        )
    return order


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise VerificationError(f"{text!r} is not a date", hint="write it as 2026-11-21T09:15:44Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
