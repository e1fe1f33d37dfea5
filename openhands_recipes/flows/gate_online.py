"""What the sources say about newly locked files: the part of stage D that needs the network.

A .deb is compared with the archive's signed package lists; what they no longer name, and everything from
language registries, is fetched anew into an empty cache and hashed while it is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from openhands_recipes.errors import DownloadError, VerificationError
from openhands_recipes.flows.parts import wanted_deb, wanted_tarball, wanted_wheel
from openhands_recipes.model.lock import Deb, Lock
from openhands_recipes.ports import DebianArchive, Downloads, PackageList, Progress, Wanted
from openhands_recipes.publish.gate.case import Case, Online, TouchedRecipe
from openhands_recipes.publish.gate.sources import files_of

SHA256 = re.compile(rb"^SHA256: *([0-9a-f]{64})$", re.MULTILINE)


@dataclass(frozen=True)
class Sources:
    """The doors to where bytes come from."""

    archive: Callable[[], DebianArchive]
    fresh_downloads: Callable[[], AbstractContextManager[Downloads]]
    """Into a cache that is empty and thrown away."""
    progress: Progress


def ask_sources(case: Case, sources: Sources) -> tuple[Online, ...]:
    """What the sources say about every file that some lock of the pull request names for the first time.

    Raises:
        VerificationError: the archive's own signatures do not hold.
    """
    return tuple(answer for recipe in case.recipes for answer in _of_recipe(recipe, sources))


def _of_recipe(recipe: TouchedRecipe, sources: Sources) -> Iterator[Online]:
    lock = recipe.after.lock.lock if recipe.after else None
    if lock is None or not any(file.path == recipe.lock_file for file in recipe.files):
        return
    before = recipe.before.lock.lock if recipe.before else None
    known = files_of(before) if before else {}
    debs = {
        deb.path: deb for p in lock.platforms.values() for deb in p.debs if known.get(deb.path) != deb.sha256
    }
    unlisted = []
    for deb, listed in _listed(lock, list(debs.values()), sources) if debs else ():
        if not listed:
            unlisted.append(wanted_deb(deb))
            continue
        detail = "" if listed == deb.sha256 else f"sha256 {listed}, in the lock {deb.sha256}"
        yield Online(recipe.name, deb.path, "other" if detail else "same", detail)
    others = [w for w in _wanted(lock) if known.get(w.name) != w.digest.partition(":")[2]]
    yield from _fetched(recipe.name, [*unlisted, *others], sources)


def _listed(lock: Lock, debs: Sequence[Deb], sources: Sources) -> Iterator[tuple[Deb, str]]:
    """Each .deb with the digest the signed lists give it; empty if they do not name it."""
    architectures = sorted(platform.partition("/")[2] for platform in lock.platforms)
    with sources.progress.stage("package lists"):
        state = sources.archive().state(lock.debian.suites, architectures)
    for deb in debs:
        yield deb, next(filter(None, (_digest_in(packages, deb.path) for packages in state.lists)), "")


def _digest_in(packages: PackageList, path: str) -> str:
    at = packages.content.find(b"\nFilename: " + path.encode() + b"\n")
    if at < 0:
        return ""
    start = packages.content.rfind(b"\n\n", 0, at) + 1
    end = packages.content.find(b"\n\n", at)
    found = SHA256.search(packages.content[start : end if end >= 0 else None])
    return found[1].decode() if found else ""


def _wanted(lock: Lock) -> Iterator[Wanted]:
    """Files of language registries, each once."""
    seen: dict[str, Wanted] = {}
    for inputs in lock.platforms.values():
        wanted = [wanted_tarball(tarball) for tarball in inputs.tarballs]
        for wheel in inputs.wheels:
            built = wheel.built_from
            wanted += [wanted_wheel(r) for r in built.requirements] if built else [wanted_wheel(wheel)]
        seen |= {one.name: one for one in wanted}
    yield from seen.values()


def _fetched(recipe: str, wanted: Sequence[Wanted], sources: Sources) -> Iterator[Online]:
    if not wanted:
        return
    with (
        sources.fresh_downloads() as downloads,
        sources.progress.stage("fetch again", total=sum(w.size for w in wanted), unit="bytes") as stage,
    ):
        for one in wanted:
            file = one.path if one.origin == "debian" else one.name
            try:
                downloads.fetch([one], stage=stage)
            except VerificationError as error:
                yield Online(recipe, file, "other", error.message)
            except DownloadError as error:
                yield Online(recipe, file, "missing", error.message)
            else:
                yield Online(recipe, file, "same")
