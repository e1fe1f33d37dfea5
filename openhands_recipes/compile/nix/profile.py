"""The environment of a closure put where people and programs look for tools: links, and no file of the store.

`/nix/var/nix/profiles/default` leads to the environment, as on a machine with Nix. Its commands are also
linked into /usr/local/bin, which login shells, `sudo` and `env` search before Debian's folders. Left to the
base are programs that gain privileges (no store holds one), those that administrate the base system, and
whatever stands in /usr/local already.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from posixpath import normpath

from openhands_recipes.compile.pack.owner import Home
from openhands_recipes.compile.pack.store import MTIME, STORE
from openhands_recipes.model.fragment import Entry, Kind

RULES = 1
"""Raise it when the same environment becomes other links."""
PROFILE = "/nix/var/nix/profiles/default"
COMMANDS = "usr/local/bin"
Made = tuple[Entry, bytes]
Listing = Callable[[str], Mapping[str, Entry] | None]
"""Entries of a store path by path, given `nix/store/<hash>-<name>`; None for what is not in the closure."""

_LINKS = 40
_ADMINISTRATION = ("usr/sbin", "sbin")
_PROGRAMS = ("usr/bin", "bin", *_ADMINISTRATION)
_PRIVILEGED = 0o6000
_INTERPRETER = re.compile(rf"^/{STORE}/[^-]+-python3?-(3\.\d+)\.\d+[0-9a-z]*$")


def commands_of(environment: str, listing: Listing) -> tuple[str, ...]:
    """The commands of an environment (`/nix/store/...`), sorted; hidden ones are wrappers' own."""
    found = _inside(f"{environment.lstrip('/')}/bin", listing)
    return tuple(sorted(name for name in found if not name.startswith(".")))


def _inside(path: str, listing: Listing) -> tuple[str, ...]:
    """The names in a folder, links of and between store paths followed."""
    for _ in range(_LINKS):
        entries = listing("/".join(path.split("/")[:3])) or {}
        onward = _first_link(path, entries)
        if onward is None:
            below = f"{path}/"
            return tuple(
                p[len(below) :] for p in entries if p.startswith(below) and "/" not in p[len(below) :]
            )
        path = onward
    return ()


def _first_link(path: str, entries: Mapping[str, Entry]) -> str | None:
    """Where the first link on the way leads to; None when there is none."""
    pieces = path.split("/")
    for length in range(3, len(pieces) + 1):
        head = "/".join(pieces[:length])
        entry = entries.get(head)
        if entry is not None and entry.kind is Kind.SYMLINK:
            base = "/" if entry.link.startswith("/") else "/" + head.rpartition("/")[0]
            return normpath("/".join([base, entry.link, *pieces[length:]])).lstrip("/")
    return None


def left_to_base(base: Mapping[str, Entry]) -> frozenset[str]:
    """Commands of the image below that the environment must not stand in front of."""
    kept = set()
    for path, entry in base.items():
        folder, _, name = path.rpartition("/")
        privileged = folder in _PROGRAMS and entry.kind is Kind.FILE and entry.mode & _PRIVILEGED
        if privileged or folder in _ADMINISTRATION or folder == COMMANDS:
            kept.add(name)
    return frozenset(kept)


def profile_links(environment: str, commands: Iterable[str], kept: frozenset[str]) -> tuple[Made, ...]:
    """The profile and the links to its commands; `kept` are left out."""
    links = {PROFILE.lstrip("/"): environment}
    links |= {f"{COMMANDS}/{name}": f"{PROFILE}/bin/{name}" for name in commands if name not in kept}
    return tuple((_link(path, target), b"") for path, target in sorted(links.items()))


def _link(path: str, target: str) -> Entry:
    return Entry(path, Kind.SYMLINK, 0o777, mtime=MTIME, link=target)


def interpreters(paths: Iterable[str], version: str) -> tuple[str, ...]:
    """The store paths that are named like an interpreter of Python `version` (3.13), best first."""
    return tuple(sorted(path for path in paths if (m := _INTERPRETER.match(path)) and m[1] == version))


def python_environment(home: Home, interpreter: str, *, commands: Iterable[str]) -> tuple[Made, ...]:
    """A virtual environment of the user's over a closure's Python, as `python -m venv` would make it.

    What it does not have itself it takes from the profile, so that the recipe's packages are there and
    `pip install` adds to them. It links to the bare interpreter: a wrapper would not find pyvenv.cfg.

    Source: PEP 405; Python's documentation, module `site`, on path configuration files.
    """
    exact = interpreter.rpartition("-")[2]
    minor = ".".join(exact.split(".")[:2])
    python, modules = f"{interpreter}/bin/python{minor}", f"{home.prefix}/lib/python{minor}/site-packages"
    configuration = (
        f"home = {interpreter}/bin\ninclude-system-site-packages = false\nversion = {exact}\n"
        f"executable = {python}\n"
    )
    links = {f"{home.prefix}/bin/{name}": python for name in ("python", "python3", f"python{minor}")}
    files = {
        f"{home.prefix}/pyvenv.cfg": configuration,
        f"{modules}/profile.pth": f"{PROFILE}/lib/python{minor}/site-packages\n",
    }
    made = [
        (home.link(path, target), b"") for path, target in {**links, f"{home.prefix}/lib64": "lib"}.items()
    ]
    made += [_file(home, path, text, executable=False) for path, text in files.items()]
    made += [
        _file(
            home,
            f"{home.prefix}/bin/{name}",
            _PIP.format(python=f"/{home.prefix}/bin/python"),
            executable=True,
        )
        for name in ("pip", "pip3", f"pip{minor}")
        if "pip" in commands
    ]
    made += [(home.folder(folder), b"") for folder in _folders(home.prefix, f"{home.prefix}/bin", modules)]
    return tuple(sorted(made, key=lambda item: item[0].path))


_PIP = """\
#!{python}
import sys

from pip._internal.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
"""


def _file(home: Home, path: str, text: str, *, executable: bool) -> Made:
    return home.file(path, len(text.encode()), executable=executable), text.encode()


def _folders(top: str, *below: str) -> Iterator[str]:
    yield from dict.fromkeys(
        folder
        for path in (top, *below)
        for folder in ("/".join(path.split("/")[:n]) for n in range(1, path.count("/") + 2))
        if folder == top or folder.startswith(f"{top}/")
    )
