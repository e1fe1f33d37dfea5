"""What a machine has, apart from sandboxes: Python, memory, room, tools, and what it can reach."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from openhands_recipes.adapters.apt_sources import DebianSources
from openhands_recipes.adapters.http import Http, HttpFault, shown
from openhands_recipes.adapters.python_index import IndexSettings
from openhands_recipes.ports import Ability

GIB = 2**30
USUAL_ROOM, LEAST_ROOM = 10 * GIB, 2 * GIB
LEAST_MEMORY = 1 * GIB
MIRROR_HINT = "set OHR_DEBIAN_MIRROR to the root URL of a Debian mirror (the folder with dists/ and pool/)"


def python() -> Iterator[Ability]:
    """The interpreter we run on."""
    new_enough = sys.version_info >= (3, 11)
    yield Ability("python", new_enough, platform.python_version(), "" if new_enough else "use 3.11 or newer")


def size() -> Iterator[Ability]:
    """Cores and memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    detail = f"{cores} cores, {memory / GIB:.1f} GiB of memory"
    yield Ability("size", memory >= LEAST_MEMORY, detail, "" if memory >= LEAST_MEMORY else "builds may fail")


def room(cache: Path) -> Iterator[Ability]:
    """Free space where the cache lies."""
    folder = next(path for path in (cache, *cache.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    writable = os.access(folder, os.W_OK)
    hint = "free some space, or set OHR_CACHE to a folder with more room"
    if not writable:
        yield Ability(
            "cache", ok=False, detail=f"{cache} cannot be written", hint="set OHR_CACHE to a folder of yours"
        )
        return
    state = f"{free / GIB:.1f} GiB free in {cache}"
    yield Ability("cache", free >= LEAST_ROOM, state, "" if free >= USUAL_ROOM else hint)


def git() -> Iterator[Ability]:
    """The program git."""
    found = shutil.which("git")
    if found is None:
        yield Ability("git", ok=False, detail="not installed", hint="install git to contribute recipes")
        return
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False, timeout=30)
    yield Ability("git", said.returncode == 0, said.stdout.strip().removeprefix("git version "), "")


def docker() -> Iterator[Ability]:
    """A Docker daemon that answers."""
    import docker as sdk  # noqa: PLC0415 - its import takes its time, and only we ask it something
    from docker.errors import DockerException  # noqa: PLC0415

    hint = "only `ohr load` and `ohr test --engine docker` need one; DOCKER_HOST names another than the usual"
    try:
        client = sdk.from_env(timeout=10)
        try:
            version = client.version().get("Version", "unknown")
        finally:
            client.close()
    except (DockerException, OSError):
        yield Ability("docker", ok=False, detail="no daemon answers", hint=hint)
        return
    yield Ability("docker", ok=True, detail=f"daemon {version}", hint="")


def debian(sources: DebianSources, http: Http, suites: Sequence[str]) -> Iterator[Ability]:
    """Which suites some mirror of this machine has.

    Raises:
        DownloadError: no mirror is configured for a suite.
    """
    for suite in suites:
        roots = (*sources.roots(suite), *sources.snapshot_roots(suite))
        reasons = [_reason(http, f"{root}/dists/{suite}/InRelease") for root in roots]
        good = [root for root, reason in zip(roots, reasons, strict=True) if not reason]
        if good:
            yield Ability(f"debian {suite}", ok=True, detail=shown(good[0]), hint="")
        else:
            tried = "; ".join(f"{shown(root)}: {why}" for root, why in zip(roots, reasons, strict=True))
            yield Ability(f"debian {suite}", ok=False, detail=tried, hint=MIRROR_HINT)


def python_packages(settings: IndexSettings, http: Http) -> Iterator[Ability]:
    """Whether the Python package index answers."""
    for url in settings.urls:
        reason = _reason(http, f"{url}/pip/")
        hint = "set UV_DEFAULT_INDEX or PIP_INDEX_URL to an index that can be reached"
        yield Ability(
            "python packages",
            ok=not reason,
            detail=f"{shown(url)} ({settings.where})" + (f": {reason}" if reason else ""),
            hint=hint if reason else "",
        )


def _reason(http: Http, url: str) -> str:
    """Why a file cannot be had; empty when it can."""
    try:
        with http.stream(url):
            return ""
    except HttpFault as fault:
        return fault.reason
