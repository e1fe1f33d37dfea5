"""An npm tarball becomes a fragment below `<prefix>/lib/node_modules/<name>`.

As npm does it: the first folder of the archive is cut off, links are left out, files are 0644 or
0755, what commands call is executable; .gitignore becomes .npmignore where there is none; some archives
name a path twice, and the last one counts. Commands are not linked and scripts not run here.
"""

from __future__ import annotations

import re
from typing import IO

from openhands_recipes.compile.pack.build import FragmentWriter
from openhands_recipes.compile.pack.owner import Home
from openhands_recipes.compile.pack.tar_read import TarReader
from openhands_recipes.compile.pack.tree import clean_path, refuse_whiteout
from openhands_recipes.compile.pack.unpack import unpacked
from openhands_recipes.errors import UsageError, VerificationError
from openhands_recipes.model.fragment import Fragment, Kind

_PACKAGE = r"(@[a-z0-9~-][a-z0-9._~-]*/)?[A-Za-z0-9~_-][A-Za-z0-9._~-]*"
_NAME = re.compile(rf"^{_PACKAGE}(/node_modules/{_PACKAGE})*$")


def npm_to_fragment(  # noqa: PLR0913 - three streams' worth of places, two facts about the package
    source: IO[bytes],
    sink: IO[bytes],
    key: str,
    *,
    name: str,
    home: Home,
    executables: frozenset[str] = frozenset(),
) -> Fragment:
    """Stream a gzipped package tarball into `sink` as fragment bytes.

    `name` may stand below another package: `eslint/node_modules/ajv`. `executables` are paths within
    the package that its commands call.

    Raises:
        UsageError: `name` is no package name.
        VerificationError: the archive is malformed, wants out of its folder, or holds no package.json.
    """
    if not _NAME.match(name):
        raise UsageError(f"not an npm package name: {name!r}")
    root = f"{home.prefix}/lib/node_modules/{name}"
    writer = FragmentWriter(sink, key, folder=home.folder)
    files = _files(source)
    source.seek(0)
    reader = TarReader(unpacked(source, "gz"))
    for number, member in enumerate(reader):
        path = files.get(number)
        if path is None:
            continue
        refuse_whiteout(path)
        entry = home.file(
            f"{root}/{path}", member.size, executable=bool(member.mode & 0o111) or path in executables
        )
        writer.add_file(entry, reader.content())
    reader.drain()
    if writer.kind(f"{root}/package.json") is not Kind.FILE:
        raise VerificationError("an npm tarball holds no package.json")
    return writer.finish()


def _files(source: IO[bytes]) -> dict[int, str]:
    """Which members become files, and their paths: of those with the same path the last, as npm has it."""
    latest: dict[str, int] = {}
    seen: set[str] = set()
    for number, member in enumerate(TarReader(unpacked(source, "gz"))):
        path = clean_path(member.path).partition("/")[2]
        if not path or member.kind is not Kind.FILE:
            continue
        if path.rpartition("/")[2] == ".npmignore":
            seen.add(path)
        elif path.rpartition("/")[2] == ".gitignore":
            path = path.removesuffix(".gitignore") + ".npmignore"
            if path in seen:
                continue
        latest[path] = number
    return {number: path for path, number in latest.items()}
