"""The machine's own mirror, as `ohr lock` and `ohr build` use it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from openhands_recipes.adapters.apt_sources import debian_sources
from openhands_recipes.adapters.blobs import BlobStore
from openhands_recipes.adapters.cache_dir import CacheDir
from openhands_recipes.adapters.clock import SystemClock
from openhands_recipes.adapters.debian_archive import DebianMirrors
from openhands_recipes.adapters.downloads import PooledDownloads
from openhands_recipes.adapters.http import Http
from openhands_recipes.adapters.npm_registry import npm_registry
from openhands_recipes.adapters.openpgp import debian_keys
from openhands_recipes.adapters.origins import Origins
from openhands_recipes.adapters.python_index import python_index
from openhands_recipes.compile.debian.release import parse_release
from openhands_recipes.model.digest import from_hex
from openhands_recipes.ports import Wanted

pytestmark = pytest.mark.online


def field(stanza: str, name: str) -> str:
    match = re.search(rf"^{name}: (.*)$", stanza, re.MULTILINE)
    assert match
    return match[1]


def test_trixie_is_proved_by_debians_keys_and_its_packages_arrive(tmp_path: Path) -> None:
    sources = cache(lambda: debian_sources(debian_keys))
    blobs, http = BlobStore(CacheDir(tmp_path)), Http()
    archive = DebianMirrors(
        sources=sources,
        keys=debian_keys,
        clock=SystemClock(),
        parse_release=parse_release,
        blobs=blobs,
        http=http,
    )
    state = archive.state(["trixie", "trixie-updates", "trixie-security"], ["amd64"])
    assert [packages.suite for packages in state.lists] == list(state.suites)
    stanzas = state.lists[0].content.decode().split("\n\n")
    stanza = next(text for text in stanzas if text.startswith("Package: hello\n"))
    deb = Wanted(
        name="hello",
        digest=from_hex(field(stanza, "SHA256")),
        size=int(field(stanza, "Size")),
        origin="debian",
        path=field(stanza, "Filename"),
        suite="trixie",
    )
    places = Origins(debian=sources, python=python_index, npm=npm_registry, http=http)
    downloads = PooledDownloads(blobs=blobs, places=places, http=http)
    assert downloads.fetch([deb]) == deb.size
    path = blobs.path(deb.digest)
    assert path is not None
    assert path.read_bytes().startswith(b"!<arch>\n")
