"""A folder of advisories in OSV format: JSON files at any depth, and zip archives as databases publish them.

Only files that name a wanted package are handed out; they are told by their bytes, because parsing a whole
database would take minutes.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from openhands_recipes.errors import UsageError

NAME = re.compile(rb'"name"\s*:\s*"((?:[^"\\]|\\.)*)"')
MOST_BYTES = 32 * 2**20
"""Of one advisory."""


class AdvisoryFolder:
    """An offline database of known vulnerabilities."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def about(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """File and content of every advisory that names one of some packages, and perhaps of others."""
        wanted = {_folded(name.encode()) for name in names}
        for file, content in self._all():
            if any(_folded(match[1]) in wanted for match in NAME.finditer(content)):
                yield file, content

    def _all(self) -> Iterator[tuple[str, bytes]]:
        if not self._folder.is_dir():
            hint = "unpack an OSV database there, or name the folder that holds one"
            raise UsageError("there is no such folder of advisories", where=str(self._folder), hint=hint)
        for path in sorted(self._folder.rglob("*")):
            place = path.relative_to(self._folder).as_posix()
            if path.suffix == ".json" and path.is_file():
                with path.open("rb") as stream:
                    yield place, stream.read(MOST_BYTES)
            elif path.suffix == ".zip" and path.is_file():
                yield from _unzipped(path, place)


def _unzipped(path: Path, place: str) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in sorted(archive.infolist(), key=lambda e: e.filename):
                if entry.filename.endswith(".json"):
                    with archive.open(entry) as stream:
                        yield f"{place}/{entry.filename}", stream.read(MOST_BYTES)
    except zipfile.BadZipFile as error:
        hint = "fetch it again"
        raise UsageError(f"not a zip archive: {error}", where=str(path), hint=hint) from error


def _folded(name: bytes) -> bytes:
    """A name as PyPI compares it; more is found than wanted, never less."""
    return re.sub(rb"[-_.]+", b"-", name).lower()
