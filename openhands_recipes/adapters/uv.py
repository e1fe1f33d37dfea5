"""Resolves Python requirements with the uv binary that the `uv` package carries; nothing is ever built.

uv sees neither its own configuration files nor this machine's Python beyond the running interpreter:
the index comes from `python_index`, everything else from the request, so that the same request and the
same index give the same answer everywhere.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import tenacity
from packaging.requirements import InvalidRequirement, Requirement

from openhands_recipes.adapters.http import Http, Patience, shown
from openhands_recipes.adapters.python_index import IndexSettings
from openhands_recipes.adapters.python_sources import newest_source, size_of
from openhands_recipes.adapters.uv_errors import PassingUvError, uv_error
from openhands_recipes.errors import DownloadError, OutsideError, ResolutionError
from openhands_recipes.model.platform import UV_PLATFORM
from openhands_recipes.ports import PythonRequest, SourceArchive

log = logging.getLogger(__name__)

PASSED_ON = frozenset(
    {
        "HOME", "PATH", "XDG_DATA_HOME", "NETRC", "TMPDIR", "LANG", "LC_ALL",
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT", "UV_HTTP_TIMEOUT", "UV_HTTP_RETRIES",
        "UV_KEYRING_PROVIDER",
    }
)  # fmt: skip
"""Everything uv may know of this machine: the way to the index and the keys to it."""

FIXED = {
    "UV_NO_PROGRESS": "1",
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_SYSTEM_CERTS": "1",
    "NO_COLOR": "1",
    "COLUMNS": "1000",
}
CACHING = {"api": "max-age=600", "files": "max-age=31536000, immutable"}
"""Mirrors often do not tell how long answers keep; these are the times of the usual index."""
TIMEOUT = 900.0
PATIENCE = Patience(attempts=3, first=2.0)
"""On top of the retries uv makes itself."""


class UvIndex:
    """`ports.PythonIndex` over uv and the index this machine is configured for."""

    def __init__(
        self,
        *,
        settings: Callable[[], IndexSettings],
        http: Http,
        cache: Path,
        patience: Patience = PATIENCE,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._settings = settings
        self._http = http
        self._cache = cache
        self._patience = patience
        self._environment = os.environ if environment is None else environment

    def compile(self, request: PythonRequest) -> bytes:
        """A pylock.toml (PEP 751) of exactly what to install, hashes and sizes included.

        Raises:
            NoWheelError: some project has only sources for the target.
            ResolutionError: requirements cannot be met.
            DownloadError: the index does not answer.
            OutsideError: uv itself cannot be run.
        """
        for text in (*request.requirements, *request.constraints, *request.preferences):
            _check(text)
        try:
            content = tenacity.Retrying(
                retry=tenacity.retry_if_exception_type(PassingUvError),
                stop=tenacity.stop_after_attempt(self._patience.attempts),
                wait=tenacity.wait_random_exponential(self._patience.first, self._patience.longest),
                reraise=True,
            )(self._compile_once, request)
        except PassingUvError as error:
            raise DownloadError(
                f"the Python package index does not answer: {error.reason}",
                where=shown(self._settings().url),
                hint="check the network, or the index that UV_DEFAULT_INDEX or PIP_INDEX_URL names",
            ) from error
        return self._with_sizes(content, request.wheels)

    def source(self, project: str, specifier: str, *, python_version: str) -> SourceArchive:
        """The newest sdist of a project within a version specifier (PEP 440).

        Raises:
            ResolutionError: the index lists none that is not yanked.
            DownloadError: the index does not answer.
        """
        return newest_source(
            self._http, self._settings(), project, specifier=specifier, python_version=python_version
        )

    def _compile_once(self, request: PythonRequest) -> bytes:
        with tempfile.TemporaryDirectory(prefix="ohr-uv-") as folder:
            room = Path(folder)
            (room / "uv.toml").write_text(_configuration(self._settings()))
            arguments = ["--cache-dir", str(self._cache), *_arguments(request, room)]
            program = [*_uv(), "pip", "compile", "--config-file", "uv.toml", *arguments]
            try:
                done = subprocess.run(
                    program,
                    input="".join(f"{text}\n" for text in request.requirements),
                    capture_output=True,
                    encoding="utf-8",
                    errors="replace",
                    env=self._settled_environment(),
                    cwd=room,
                    timeout=TIMEOUT,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise PassingUvError(f"no answer within {TIMEOUT:.0f} s") from error
            except OSError as error:
                raise OutsideError(
                    f"uv cannot be run: {error}", hint="install the `uv` package again"
                ) from error
            if done.returncode:
                log.debug("uv says: %s", done.stderr)
                raise uv_error(done.stderr, request)
            return (room / "pylock.toml").read_bytes()

    def _settled_environment(self) -> dict[str, str]:
        """What uv is told of this machine."""
        passed = {name: value for name, value in self._environment.items() if name.upper() in PASSED_ON}
        return passed | FIXED

    def _with_sizes(self, content: bytes, wheels: Mapping[str, Path]) -> bytes:
        """The lock with the size of every wheel; older indexes do not tell them (PEP 700)."""
        text = content.decode()
        for key, place in _unsized(tomllib.loads(text)):
            local = wheels.get(unquote(urlsplit(place).path.rpartition("/")[2]))
            size = local.stat().st_size if local is not None else size_of(self._http, place)
            text = text.replace(f'{key} = "{place}"', f'{key} = "{place}", size = {size}')
        return text.encode()


def _check(text: str) -> None:
    """Requirements come from recipes: they may name projects, never places or options.

    Raises:
        ResolutionError: it is something else.
    """
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise ResolutionError(f"not a Python requirement: {text!r}") from error
    if requirement.url or "\n" in text or "\r" in text:
        raise ResolutionError(
            f"the requirement {text!r} names a place to download from", hint="name a version instead"
        )


def _configuration(settings: IndexSettings) -> str:
    """Our own uv.toml. Credentials in URLs stay out of arguments, which others on the machine can list."""
    caching = ", ".join(f"{kind} = {json.dumps(text)}" for kind, text in CACHING.items())
    urls = [(url, False) for url in settings.extra_urls] + [(settings.url, True)]
    return "\n".join(
        f"[[index]]\nurl = {json.dumps(url)}\ndefault = {json.dumps(last)}\ncache-control = {{ {caching} }}\n"
        for url, last in urls
    )


def _arguments(request: PythonRequest, room: Path) -> list[str]:
    """The command line; files it names are written into `room`."""
    arguments = [
        "--no-build", "--generate-hashes", "--format", "pylock.toml", "--no-header", "--quiet",
        "--python", sys.executable,
        "--python-version", request.python_version,
        "--python-platform", UV_PLATFORM[request.platform],
        "--output-file", "pylock.toml",
    ]  # fmt: skip
    if request.constraints:
        (room / "constraints.txt").write_text(_lines(request.constraints))
        arguments += ["--constraints", "constraints.txt"]
    if request.preferences:
        (room / "pylock.toml").write_text(_earlier_answer(request.preferences))
    if request.wheels:
        (room / "wheels").mkdir()
        for name, path in request.wheels.items():
            (room / "wheels" / name).symlink_to(path.absolute())
        arguments += ["--find-links", "wheels"]
    return [*arguments, "-"]


def _lines(texts: Sequence[str]) -> str:
    return "".join(f"{text}\n" for text in texts)


def _earlier_answer(pins: Sequence[str]) -> str:
    """The output file uv finds: it keeps to the versions in there where it can."""
    packages = []
    for pin in pins:
        name, _, version = pin.partition("==")
        packages.append(f'[[packages]]\nname = "{name}"\nversion = "{version}"\n')
    return 'lock-version = "1.0"\ncreated-by = "uv"\n\n' + "\n".join(packages)


def _uv() -> list[str]:
    import uv  # noqa: PLC0415 - only who locks needs it

    try:
        return [str(uv.find_uv_bin())]
    except FileNotFoundError as error:
        raise OutsideError(f"uv is not installed: {error}", hint="install the `uv` package again") from error


def _unsized(lock: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Where wheels lie whose size the lock does not tell, as `url` or `path` (PEP 751)."""
    return [
        (key, wheel[key])
        for package in lock.get("packages", ())
        for wheel in package.get("wheels", ())
        for key in ("url", "path")
        if "size" not in wheel and key in wheel
    ]
