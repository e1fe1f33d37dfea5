"""An npm tarball becomes a fragment below `<prefix>/lib/node_modules/<name>`.

As npm does it: the first folder of the archive is cut off, links are left out, files are 0644 or
0755. Commands are not linked and scripts not run here.
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

_NAME = re.compile(r"^(@[a-z0-9~-][a-z0-9._~-]*/)?[A-Za-z0-9~_-][A-Za-z0-9._~-]*$")


def npm_to_fragment(source: IO[bytes], sink: IO[bytes], key: str, *, name: str, home: Home) -> Fragment:
    """Stream a gzipped package tarball into `sink` as fragment bytes.

    Raises:
        UsageError: `name` is no package name.
        VerificationError: the archive is malformed, wants out of its folder, or holds no package.json.
    """
    if not _NAME.match(name):
        raise UsageError(f"not an npm package name: {name!r}")
    root = f"{home.prefix}/lib/node_modules/{name}"
    writer = FragmentWriter(sink, key, folder=home.folder)
    reader = TarReader(unpacked(source, "gz"))
    for member in reader:
        path = clean_path(member.path).partition("/")[2]
        if not path or member.kind is not Kind.FILE:
            continue
        refuse_whiteout(path)
        entry = home.file(f"{root}/{path}", member.size, executable=bool(member.mode & 0o111))
        writer.add_file(entry, reader.content())
    reader.drain()
    if writer.kind(f"{root}/package.json") is not Kind.FILE:
        raise VerificationError("an npm tarball holds no package.json")
    return writer.finish()
