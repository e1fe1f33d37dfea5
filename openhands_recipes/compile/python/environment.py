"""A Python environment's own files: what `python -m venv` would make, without running anything.

The interpreter stays the image's; the environment only holds links to it, pyvenv.cfg and site-packages.
It has no `activate`: its `bin` is put first on PATH instead.

Source: PEP 405; CPython's Lib/venv and Modules/getpath.py.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from openhands_recipes.compile.pack.owner import Home
from openhands_recipes.errors import InvalidRecipeError
from openhands_recipes.model.fragment import Entry, Fragment, Kind
from openhands_recipes.ports import Content

INTERPRETERS = "/usr/bin"
USER_PREFIX = "/opt/python"
"""The environment of the sandbox user."""

_UPSTREAM = re.compile(r"^(?:\d+:)?(\d+\.\d+\.\d+)")


def prefix_of(environment: str) -> str:
    """Where an environment of a lock (`Wheel.into`) lies: `python` is the user's."""
    return USER_PREFIX if environment == "python" else f"/opt/{environment}"


def upstream_version(debian_version: str) -> str:
    """Python's own version in that of its Debian package: 3.13.5 in 3.13.5-2+deb13u1.

    Raises:
        InvalidRecipeError: there is none.
    """
    match = _UPSTREAM.match(debian_version)
    if match is None:
        raise InvalidRecipeError(f"not a version of Python: {debian_version!r}")
    return match[1]


def interpreter(python_version: str) -> str:
    """Path of the image's Python of a version: /usr/bin/python3.13."""
    return f"{INTERPRETERS}/python{minor_version(python_version)}"


def minor_version(python_version: str) -> str:
    """3.13 of 3.13.5."""
    return ".".join(python_version.split(".")[:2])


def site_packages(prefix: str, python_version: str) -> str:
    """Where the modules of an environment lie, without the leading slash."""
    return f"{prefix.strip('/')}/lib/python{minor_version(python_version)}/site-packages"


def environment_entries(
    prefix: str, python_version: str, *, owner: tuple[int, int] = (0, 0)
) -> tuple[tuple[Entry, Content], ...]:
    """An empty environment for Python `python_version` (3.13.5) at a prefix, sorted by path."""
    home = Home(prefix.strip("/"), *owner)
    python = interpreter(python_version)
    modules = site_packages(prefix, python_version)
    folders = [home.prefix, f"{home.prefix}/bin"]
    folders += [modules.rsplit("/", level)[0] for level in (2, 1)] + [modules]
    links = dict.fromkeys(("python", "python3", f"python{minor_version(python_version)}"), python)
    made: list[tuple[Entry, Content]] = [(home.folder(folder), None) for folder in folders]
    made += [(home.link(f"{home.prefix}/bin/{name}", target), None) for name, target in links.items()]
    made.append((home.link(f"{home.prefix}/lib64", "lib"), None))
    made.append(_configuration(home, python, python_version))
    return tuple(sorted(made, key=lambda item: item[0].path))


def _configuration(home: Home, python: str, python_version: str) -> tuple[Entry, Content]:
    text = (
        f"home = {INTERPRETERS}\n"
        "include-system-site-packages = false\n"
        f"version = {python_version}\n"
        f"executable = {python}\n"
    ).encode()
    entry = home.file(f"{home.prefix}/pyvenv.cfg", len(text), executable=False)
    return entry._replace(sha256=hashlib.sha256(text).hexdigest()), text


def scripts_of(prefix: str, fragments: Iterable[Fragment]) -> frozenset[str]:
    """The commands that wheels put into an environment."""
    folder = f"{prefix.strip('/')}/bin/"
    return frozenset(
        entry.path.removeprefix(folder)
        for fragment in fragments
        for entry in fragment.entries
        if entry.path.startswith(folder) and entry.kind is Kind.FILE and entry.mode & 0o111
    )


def check_commands(application: str, commands: Mapping[str, str], scripts: frozenset[str]) -> None:
    """Make sure that an application has the scripts its commands are to call.

    Raises:
        InvalidRecipeError: one is missing; the message lists those there are.
    """
    missing = {command: script for command, script in commands.items() if script not in scripts}
    if missing:
        wanted = ", ".join(f"'{script}' (for the command {command})" for command, script in missing.items())
        raise InvalidRecipeError(
            f"application '{application}' has no console script {wanted}",
            hint=f"it has {', '.join(sorted(scripts)) or 'none at all'}",
        )
