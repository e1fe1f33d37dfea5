"""Which Python package index this machine uses: what uv is configured with, else pip, else the usual one.

First that names an index wins, extra indexes come from the same tool:

1. `UV_DEFAULT_INDEX` or `UV_INDEX_URL`; extra: `UV_INDEX`, `UV_EXTRA_INDEX_URL`
2. uv.toml of the user, else of the system (`UV_CONFIG_FILE` instead of both, `UV_NO_CONFIG` for neither)
3. `PIP_INDEX_URL`; extra: `PIP_EXTRA_INDEX_URL`
4. pip.conf: `PIP_CONFIG_FILE`, the virtual environment's, the user's, the system's
5. the endpoint that the pypi-simple library ships, so that no host is written here

Settings of the folder one happens to stand in, find-links and keyrings are left out on purpose.
"""

from __future__ import annotations

import ast
import configparser
import importlib.util
import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openhands_recipes.errors import UsageError

SYSTEM = Path("/etc")
PIP_SECTIONS = ("global", "install", "download")
"""Later ones override earlier ones, as for `pip download`."""


@dataclass(frozen=True)
class IndexSettings:
    """The index to ask (a Simple API root), further ones, and which setting named it."""

    url: str
    extra_urls: tuple[str, ...] = ()
    where: str = ""

    @property
    def urls(self) -> tuple[str, ...]:
        """All of them, without trailing slash: extra ones first, as uv asks them."""
        return tuple(dict.fromkeys(url.rstrip("/") for url in (*self.extra_urls, self.url)))


def python_index(environment: Mapping[str, str] | None = None) -> IndexSettings:
    """The index settings of this machine.

    Raises:
        UsageError: a configuration file cannot be read.
    """
    settings = os.environ if environment is None else environment
    for tool in ((_uv_environment, _uv_files), (_pip_environment, _pip_files)):
        found = [index for source in tool for index in source(settings)]
        chosen = next((index for index in found if index.url), None)
        extra = next((index.extra_urls for index in found if index.extra_urls), ())
        if chosen is not None or extra:
            return IndexSettings(
                chosen.url if chosen else usual_endpoint(), extra, chosen.where if chosen else found[0].where
            )
    return IndexSettings(usual_endpoint(), where="the usual index")


def usual_endpoint() -> str:
    """The endpoint that pypi-simple ships; read from its source, because importing it takes 0.3 s.

    Raises:
        UsageError: the library is gone or has changed.
    """
    spec = importlib.util.find_spec("pypi_simple")
    if spec is not None and spec.origin:
        for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
            match node:
                case (
                    ast.Assign(
                        targets=[ast.Name(id="PYPI_SIMPLE_ENDPOINT")], value=ast.Constant(value=str(url))
                    )
                    | ast.AnnAssign(
                        target=ast.Name(id="PYPI_SIMPLE_ENDPOINT"), value=ast.Constant(value=str(url))
                    )
                ):
                    return url
    raise UsageError(
        "no Python package index is configured",
        hint="set UV_DEFAULT_INDEX or PIP_INDEX_URL to its Simple API",
    )


def _uv_environment(settings: Mapping[str, str]) -> Iterator[IndexSettings]:
    extra = [*settings.get("UV_INDEX", "").split(), *settings.get("UV_EXTRA_INDEX_URL", "").split()]
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if url := settings.get(name):
            yield IndexSettings(_unnamed(url), tuple(map(_unnamed, extra)), name)
            return
    if extra:
        yield IndexSettings("", tuple(map(_unnamed, extra)), "UV_INDEX")


def _unnamed(index: str) -> str:
    """The URL of `name=URL`."""
    name, equals, url = index.partition("=")
    return url if equals and ":" not in name and "/" not in name else index


def _uv_files(settings: Mapping[str, str]) -> Iterator[IndexSettings]:
    if settings.get("UV_NO_CONFIG", "0").lower() not in {"", "0", "false", "no"}:
        return
    if chosen := settings.get("UV_CONFIG_FILE"):
        files = [Path(chosen)]
    else:
        files = [folder / "uv" / "uv.toml" for folder in (_config_home(settings), *_config_dirs(settings))]
    for file in files:
        if not file.is_file():
            continue
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _unreadable(file, error) from error
        yield _from_uv_toml(content, str(file))


def _from_uv_toml(content: Mapping[str, Any], where: str) -> IndexSettings:
    """The indexes of a uv.toml: `[[index]]`, or the older `index-url` at the top or in `[pip]`."""
    pip = content.get("pip", {})
    entries = [entry for entry in content.get("index", []) if isinstance(entry.get("url"), str)]
    default = [entry["url"] for entry in entries if entry.get("default")]
    older = content.get("index-url") or pip.get("index-url") or ""
    extra = [entry["url"] for entry in entries if not entry.get("default") and not entry.get("explicit")]
    extra += content.get("extra-index-url", []) or pip.get("extra-index-url", [])
    return IndexSettings(default[0] if default else older, tuple(extra), where)


def _pip_environment(settings: Mapping[str, str]) -> Iterator[IndexSettings]:
    url, extra = settings.get("PIP_INDEX_URL", ""), settings.get("PIP_EXTRA_INDEX_URL", "")
    if url or extra:
        yield IndexSettings(url, tuple(extra.split()), "PIP_INDEX_URL")


def _pip_files(settings: Mapping[str, str]) -> Iterator[IndexSettings]:
    chosen = settings.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return
    files = [
        *([Path(chosen)] if chosen else []),
        Path(sys.prefix) / "pip.conf",
        _config_home(settings) / "pip" / "pip.conf",
        _home(settings) / ".pip" / "pip.conf",
        SYSTEM / "pip.conf",
        *(folder / "pip" / "pip.conf" for folder in _config_dirs(settings)),
    ]
    for file in files:
        if not file.is_file():
            continue
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, configparser.Error) as error:
            raise _unreadable(file, error) from error
        values = {
            name: value
            for section in PIP_SECTIONS
            if parser.has_section(section)
            for name, value in parser[section].items()
        }
        yield IndexSettings(
            values.get("index-url", "").strip(), tuple(values.get("extra-index-url", "").split()), str(file)
        )


def _home(settings: Mapping[str, str]) -> Path:
    home = settings.get("HOME")
    return Path(home) if home else Path.home()


def _config_home(settings: Mapping[str, str]) -> Path:
    chosen = settings.get("XDG_CONFIG_HOME")
    return Path(chosen) if chosen else _home(settings) / ".config"


def _config_dirs(settings: Mapping[str, str]) -> list[Path]:
    chosen = settings.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    return [*(Path(folder) for folder in chosen.split(":") if folder), SYSTEM]


def _unreadable(file: Path, error: Exception) -> UsageError:
    return UsageError(f"the Python package index settings cannot be read ({error})", where=str(file))
