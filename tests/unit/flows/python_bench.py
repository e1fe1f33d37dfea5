"""A workbench over an index on loopback: real uv, real downloads, real builds, only the sandbox is none."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from openhands_recipes.adapters.apt_sources import DebianSources
from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.downloads import PooledDownloads
from openhands_recipes.adapters.http import Http, Patience
from openhands_recipes.adapters.npm_registry import NpmRegistry
from openhands_recipes.adapters.origins import Origins
from openhands_recipes.adapters.python_index import IndexSettings
from openhands_recipes.adapters.uv import UvIndex
from openhands_recipes.flows.sdist import Room, Workbench
from openhands_recipes.model.platform import Platform
from tests.local_index import LocalIndex, backend_wheel, serving
from tests.process_engine import ProcessEngine

PYTHON = "{}.{}.{}".format(*sys.version_info[:3])


@dataclass
class Shop:
    """The workbench and what stands behind it."""

    index: LocalIndex
    engine: ProcessEngine
    blobs: BlobStore
    bench: Workbench
    furnished: list[Room]


def no_debian() -> DebianSources:
    raise AssertionError("nothing of Debian is wanted")


def no_npm() -> NpmRegistry:
    raise AssertionError("nothing of npm is wanted")


@contextlib.contextmanager
def opened(
    folder: Path, index: LocalIndex | None = None, *, host: Platform = "linux/amd64"
) -> Iterator[Shop]:
    """A shop with caches of its own; the index has a build backend to begin with."""
    with serving(index or LocalIndex().add(backend_wheel())) as served:
        settings = IndexSettings(served.url)
        http = Http(patience=Patience(attempts=1))
        blobs = BlobStore(CacheDir(folder / "cache"))
        places = Origins(debian=no_debian, python=lambda: settings, npm=no_npm, http=http)
        downloads = PooledDownloads(blobs=blobs, places=places, http=http)
        uv = UvIndex(
            settings=lambda: settings,
            http=http,
            cache=folder / "uv",
            patience=Patience(attempts=1),
            environment={"HOME": str(folder), "UV_HTTP_RETRIES": "0"},
        )
        engine, furnished = ProcessEngine(), []

        def room() -> Room:
            furnished.append(Room(("root",), sys.executable, PYTHON))
            return furnished[-1]

        bench = Workbench(uv, lambda: downloads, blobs, engine, host, room)
        yield Shop(served, engine, blobs, bench, furnished)
        http.close()
