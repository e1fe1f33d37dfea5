"""Finds a project's sdist on the Python package index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, canonicalize_version
from packaging.version import InvalidVersion, Version

from openhands_recipes.adapters.http import Absent, Http, HttpFault, shown
from openhands_recipes.adapters.origins import ACCEPT
from openhands_recipes.adapters.python_index import IndexSettings
from openhands_recipes.errors import DownloadError, ResolutionError
from openhands_recipes.ports import SourceArchive

if TYPE_CHECKING:
    from pypi_simple import DistributionPackage

HINT = "check the index that UV_DEFAULT_INDEX or PIP_INDEX_URL names"


def newest_source(
    http: Http, settings: IndexSettings, project: str, *, specifier: str, python_version: str
) -> SourceArchive:
    """The newest sdist of a project, on the first index that has the project.

    Pre-releases count only where nothing else fits, as for pip.

    Raises:
        ResolutionError: none that fits and is not yanked.
        DownloadError: an index does not answer.
    """
    for index in settings.urls:
        page = f"{index}/{project}/"
        packages = _packages(http, page, project)
        if packages is not None:
            return _chosen(http, packages, project, specifier=specifier, python_version=python_version)
    raise ResolutionError(f"no Python package index knows '{project}'", hint=HINT)


def _packages(http: Http, page: str, project: str) -> Sequence[DistributionPackage] | None:
    """What an index lists of a project, or None when it does not know it."""
    from pypi_simple import ProjectPage  # noqa: PLC0415 - takes 0.3 s, and few projects lack wheels

    try:
        document = http.get(page, {"Accept": ACCEPT})
    except Absent:
        return None
    except HttpFault as fault:
        raise DownloadError(
            f"the Python package index does not answer for {project}: {fault.reason}",
            where=shown(page),
            hint=HINT,
        ) from fault
    try:
        if document.media_type.endswith("json"):
            listed = ProjectPage.from_json_data(json.loads(document.content), base_url=document.url)
        else:
            listed = ProjectPage.from_html(project, document.content, base_url=document.url)
    except (ValueError, KeyError, TypeError) as error:
        raise DownloadError(
            "the Python package index answers with something that is no project page",
            where=shown(document.url),
            hint=HINT,
        ) from error
    return list(listed.packages)


def _chosen(
    http: Http, packages: Sequence[DistributionPackage], project: str, *, specifier: str, python_version: str
) -> SourceArchive:
    wanted = SpecifierSet(specifier)
    python = Version(python_version)
    sources: dict[Version, DistributionPackage] = {}
    for package in packages:
        version = _version(package)
        if (
            version is not None
            and package.package_type == "sdist"
            and not package.is_yanked
            and (not package.requires_python or python in SpecifierSet(package.requires_python))
            # .tar.gz is the one form of today (PEP 625); it wins over older ones.
            and (version not in sources or package.filename.endswith(".tar.gz"))
        ):
            sources[version] = package
    fitting = sorted(wanted.filter(sources))
    if not fitting:
        raise ResolutionError(
            f"there is no source of {project}{specifier or ''} to build for Python {python_version}",
            hint="choose a version that has wheels",
        )
    return _archive(http, sources[fitting[-1]], project, packages)


def _archive(
    http: Http, package: DistributionPackage, project: str, packages: Sequence[DistributionPackage]
) -> SourceArchive:
    sha256 = package.digests.get("sha256", "")
    if not sha256:
        raise ResolutionError(f"the index does not tell the sha256 of {package.filename}", hint=HINT)
    version = canonicalize_version(package.version or "", strip_trailing_zero=False)
    compiled = any(
        other.package_type == "wheel" and other.version == package.version and _is_compiled(other.filename)
        for other in packages
    )
    size = size_of(http, package.url) if package.size is None else package.size
    return SourceArchive(canonicalize_name(project), version, package.filename, size, sha256, compiled)


def size_of(http: Http, url: str) -> int:
    """How large a file is that an older index (before PEP 700) does not tell the size of.

    Raises:
        DownloadError: its server does not tell either.
    """
    try:
        with http.stream(url, {"Accept-Encoding": "identity"}) as response:
            return int(response.headers["content-length"])
    except (HttpFault, KeyError, ValueError) as error:
        raise DownloadError(
            f"the Python package index does not tell how large a file is ({error})", where=shown(url)
        ) from error


def _version(package: DistributionPackage) -> Version | None:
    try:
        return Version(package.version or "")
    except InvalidVersion:
        return None


def _is_compiled(wheel: str) -> bool:
    return not wheel.endswith("-none-any.whl")
