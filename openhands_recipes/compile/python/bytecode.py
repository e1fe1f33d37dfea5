"""Which sources become bytecode, and to which part each .pyc belongs.

Compiling is done by the image's own Python (see `flows.byte_compile`); this module only sorts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from openhands_recipes.compile.pack.owner import FIXED_TIME
from openhands_recipes.compile.python.environment import minor_version
from openhands_recipes.model.fragment import Entry, Fragment, Kind

FOLDER = "__pycache__"


def sources_of(fragment: Fragment, below: str) -> tuple[str, ...]:
    """A part's Python modules below a folder, sorted; paths as in `Entry.path`."""
    folder = f"{below.strip('/')}/"
    return tuple(
        sorted(
            entry.path
            for entry in fragment.entries
            if entry.kind is Kind.FILE and entry.path.endswith(".py") and entry.path.startswith(folder)
        )
    )


def bytecode_of(source: str, python_version: str) -> str:
    """Where Python looks for a module's bytecode (PEP 3147)."""
    folder, _, name = source.rpartition("/")
    tag = f"cpython-{minor_version(python_version).replace('.', '')}"
    return f"{folder}/{FOLDER}/{name.removesuffix('.py')}.{tag}.pyc"


def order_of(parts: Iterable[Sequence[str]], *, jobs: int) -> bytes:
    """What the program inside reads: the sources of each part, absolute."""
    listed = [[f"/{path}" for path in part] for part in parts if part]
    return json.dumps({"jobs": jobs, "parts": listed}, separators=(",", ":")).encode()


def owners(sources: Mapping[str, Sequence[str]], python_version: str) -> dict[str, str]:
    """To which part each .pyc belongs: the one its source is from.

    `sources` are the modules of each part by its fragment's key; a module that several parts bring is
    the last one's, as in the image.
    """
    return {bytecode_of(source, python_version): key for key, listed in sources.items() for source in listed}


def settled(entry: Entry) -> Entry:
    """A .pyc or its folder as it goes into a layer: no time of its own."""
    mode = 0o755 if entry.kind is Kind.DIRECTORY else 0o644
    return entry._replace(mode=mode, mtime=FIXED_TIME, xattrs=())
