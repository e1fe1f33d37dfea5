"""Where wanted files may be had: Debian's mirrors and snapshots, Python indexes, the npm registry.

Locks name no host; this is where a path becomes URLs, by the machine's own settings, which are read
only when the first file of their kind is wanted.
"""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

from openhands_recipes.adapters.apt_sources import DebianSources
from openhands_recipes.adapters.http import Absent, Document, Http, HttpFault, shown
from openhands_recipes.adapters.npm_registry import NpmRegistry
from openhands_recipes.adapters.python_index import IndexSettings
from openhands_recipes.adapters.transfer import MissingError, Place, hint_for_missing
from openhands_recipes.errors import DownloadError, RecipesError
from openhands_recipes.model.digest import hex_of
from openhands_recipes.ports import Wanted

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
"""PEP 691, "Version + Format Selection"."""


@dataclass(frozen=True)
class _IndexFile:
    url: str
    sha256: str


@dataclass
class _Project:
    """A project's files on all indexes, looked up once by whoever comes first."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    files: dict[str, list[_IndexFile]] | None = None


class Origins:
    """`downloads.Places` by the machine's settings."""

    def __init__(
        self,
        *,
        debian: Callable[[], DebianSources],
        python: Callable[[], IndexSettings],
        npm: Callable[[], NpmRegistry],
        http: Http,
    ) -> None:
        self._debian = functools.cache(debian)
        self._python = functools.cache(python)
        self._npm = functools.cache(npm)
        self._http = http
        self._lock = threading.Lock()
        self._projects: dict[str, _Project] = {}

    def of(self, wanted: Wanted) -> Sequence[Place]:
        """Places to ask for a file, best first.

        Raises:
            MissingError: no Python index lists the file.
            DownloadError: nothing is configured for its origin, or no index answers.
        """
        match wanted.origin:
            case "debian":
                return self._debian_places(wanted)
            case "pypi":
                return self._python_places(wanted)
            case "npm":
                with self._lock:
                    registry = self._npm()
                return [Place(registry.url_of(wanted.path))]

    def _debian_places(self, wanted: Wanted) -> list[Place]:
        with self._lock:
            sources = self._debian()
        return [
            *(Place(f"{root}/{wanted.path}") for root in sources.roots(wanted.suite)),
            *(
                Place(f"{root}/{wanted.path}", last_resort=True)
                for root in sources.snapshot_roots(wanted.suite)
            ),
        ]

    def _python_places(self, wanted: Wanted) -> list[Place]:
        name, _, file = wanted.path.partition("/")
        with self._lock:
            settings = self._python()
            project = self._projects.setdefault(name, _Project())
        with project.lock:
            if project.files is None:
                project.files = self._look_up(name, settings)
        promised = {"", hex_of(wanted.digest)}
        found = project.files.get(file, [])
        places = [Place(listed.url) for listed in found if listed.sha256 in promised]
        if not places:
            pages = ", ".join(shown(f"{url}/{name}/") for url in settings.urls)
            what = "lists it with another hash" if found else "does not list it"
            raise MissingError(
                f"no place has {wanted.name} any more", where=f"{pages} {what}", hint=hint_for_missing(wanted)
            )
        return places

    def _look_up(self, name: str, settings: IndexSettings) -> dict[str, list[_IndexFile]]:
        """Every file of a project, on every index that answers."""
        files: dict[str, list[_IndexFile]] = {}
        faults: list[str] = []
        for index in settings.urls:
            page = f"{index}/{name}/"
            try:
                document = self._http.get(page, {"Accept": ACCEPT})
            except Absent:
                continue
            except HttpFault as fault:
                faults.append(f"{shown(page)} {fault.reason}")
                continue
            for file, listed in _files_of(name, document):
                files.setdefault(file, []).append(listed)
        if faults and not files:
            raise DownloadError(
                f"the Python package index does not answer for {name}",
                where="\n      ".join(faults),
                hint="check the network, or the index that UV_DEFAULT_INDEX or PIP_INDEX_URL names",
            )
        return files


def _files_of(name: str, document: Document) -> list[tuple[str, _IndexFile]]:
    """File name, URL and sha256 (empty if not given) of each file on a project's page.

    Raises:
        DownloadError: it is no page of the Simple API (PEP 503, PEP 691).
    """
    try:
        if document.media_type.endswith("json"):
            return [_from_json(entry, document.url) for entry in json.loads(document.content)["files"]]
        return _from_html(name, document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _no_index_page(document) from error


def _from_json(entry: Any, base: str) -> tuple[str, _IndexFile]:  # noqa: ANN401 - JSON
    return entry["filename"], _IndexFile(urljoin(base, entry["url"]), entry["hashes"].get("sha256", ""))


def _from_html(name: str, document: Document) -> list[tuple[str, _IndexFile]]:
    from pypi_simple import ProjectPage  # noqa: PLC0415 - takes 0.3 s, for old indexes only

    page = ProjectPage.from_html(name, document.content, base_url=document.url)
    return [
        (package.filename, _IndexFile(package.url, package.digests.get("sha256", "")))
        for package in page.packages
    ]


def _no_index_page(document: Document) -> RecipesError:
    return DownloadError(
        "the Python package index answers with something that is no project page",
        where=shown(document.url),
        hint="check the index that UV_DEFAULT_INDEX or PIP_INDEX_URL names",
    )
