"""Have the fragments of locked parts: download what is missing, convert while more is still coming."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.digest import Digest, digest_of_json, from_hex
from openhands_recipes.model.fragment import Fragment
from openhands_recipes.model.lock import BuildRequirement, Deb, Tarball, Wheel
from openhands_recipes.ports import Conversion, Wanted

DEB_RULES = 1
"""Raise it when .debs become other fragments."""


def wanted_deb(deb: Deb) -> Wanted:
    """How to get a .deb."""
    return Wanted(deb.name, from_hex(deb.sha256), deb.size, "debian", deb.path, deb.suite)


def wanted_wheel(wheel: Wheel | BuildRequirement) -> Wanted:
    """How to get a wheel an index has."""
    return Wanted(wheel.file, from_hex(wheel.sha256), wheel.size, "pypi", f"{wheel.name}/{wheel.file}")


def wanted_tarball(tarball: Tarball) -> Wanted:
    """How to get an npm package."""
    return Wanted(
        tarball.file, from_hex(tarball.sha256), tarball.size, "npm", f"{tarball.name}/-/{tarball.file}"
    )


def deb_key(deb: Deb) -> Digest:
    """The key of a .deb's fragment."""
    return digest_of_json(["deb", DEB_RULES, deb.sha256])


@dataclass(frozen=True)
class Part:
    """Something to download and the conversion it is for."""

    wanted: Wanted
    conversion: Callable[[Path], Conversion]
    key: Digest


def deb_part(deb: Deb) -> Part:
    """A .deb as a part."""
    key = deb_key(deb)
    return Part(wanted_deb(deb), lambda path: Conversion(key, "deb", path), key)


def fragments_of(shop: Workshop, parts: Sequence[Part]) -> dict[Digest, Fragment]:
    """Every part's fragment by key; parts with a cached fragment are not even downloaded.

    Raises:
        DownloadError: some bytes cannot be had.
        VerificationError: some bytes are not what the lock promises.
    """
    found = {part.key: shop.fragments.get(part.key) for part in parts}
    missing = {part.key: part for part in parts if found[part.key] is None}
    fragments = {key: fragment for key, fragment in found.items() if fragment is not None}
    if missing:
        fragments |= _Pipeline(shop, list(missing.values())).run()
    return fragments


class _Pipeline:
    """A thread downloads, the caller's converts; whichever fails first is what is reported."""

    def __init__(self, shop: Workshop, parts: Sequence[Part]) -> None:
        self._shop = shop
        self._parts: dict[Digest, list[Part]] = {}
        for part in parts:
            self._parts.setdefault(part.wanted.digest, []).append(part)
        self._ready: queue.SimpleQueue[Conversion | None] = queue.SimpleQueue()
        self._failure: BaseException | None = None

    def run(self) -> dict[Digest, Fragment]:
        thread = threading.Thread(target=self._download, name="download", daemon=True)
        thread.start()
        total = sum(len(same) for same in self._parts.values())
        with self._shop.progress.stage("convert", total=total) as stage:
            fragments = self._shop.fragments.convert(
                self._arriving(), on_done=lambda _conversion, _fragment: stage.advance()
            )
        thread.join()
        if self._failure is not None:
            raise self._failure
        return fragments

    def _arriving(self) -> Iterator[Conversion]:
        while (conversion := self._ready.get()) is not None:
            yield conversion

    def _download(self) -> None:
        wanted = [same[0].wanted for same in self._parts.values()]
        try:
            total = sum(one.size for one in wanted)
            with self._shop.progress.stage("download", total=total, unit="bytes") as stage:
                self._shop.downloads().fetch(wanted, stage=stage, on_ready=self._arrived)
        except BaseException as error:  # noqa: BLE001 - carried over to the caller's thread
            self._failure = error
        finally:
            self._ready.put(None)

    def _arrived(self, wanted: Wanted, path: Path) -> None:
        for part in self._parts[wanted.digest]:
            self._ready.put(part.conversion(path))
