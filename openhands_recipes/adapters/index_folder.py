"""The files of an index in a folder, as any static host serves them.

`metadata/` is TUF's, `targets/` its targets under their hashes, `blobs/` what targets name by digest. Only
`metadata/timestamp.json` is ever replaced; everything else gets a new name.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from openhands_recipes.adapters.atomic import atomic_write
from openhands_recipes.errors import OutsideError
from openhands_recipes.model.digest import Digest, hex_of

TIMESTAMP = "metadata/timestamp.json"
FEW = 64
"""So many files are brought to the disk one by one; more are left to the system as a whole."""
PATIENCE = 600.0
"""Seconds to wait for another process that changes the index."""


def metadata_path(role: str, version: int | None = None) -> str:
    """Where a role's metadata is; the timestamp has no version in its name."""
    return f"metadata/{role}.json" if version is None else f"metadata/{version}.{role}.json"


def target_path(path: str, sha256: str) -> str:
    """Where a target is (TUF: consistent snapshots)."""
    folder, slash, name = path.rpartition("/")
    return f"targets/{folder}{slash}{sha256}.{name}"


def blob_path(digest: Digest) -> str:
    """Where bytes known by digest are."""
    name = hex_of(digest)
    return f"blobs/{name[:2]}/{name}"


class IndexFolder:
    """Reads and writes files below a folder; the first write of a run creates what is missing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: set[str] = set()
        self._written: list[str] = []

    def read(self, path: str) -> bytes | None:
        """A file's bytes, or None.

        Raises:
            OutsideError: it cannot be read.
        """
        try:
            return (self.folder / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._error(error) from error

    def write(self, path: str, content: bytes, *, durable: bool = False) -> None:
        """Put a file in its place, whole or not at all.

        Raises:
            OutsideError: it cannot be written.
        """
        place = path.rpartition("/")[0]
        try:
            if place not in self._made:
                (self.folder / place).mkdir(parents=True, exist_ok=True)
                self._made.add(place)
            atomic_write(self.folder / path, content, durable=durable)
            self._written.append(path)
        except OSError as error:
            raise self._error(error) from error

    def has(self, path: str, size: int) -> bool:
        """Whether a file of that size is there; names carry digests, so it is the same file."""
        try:
            return (self.folder / path).stat().st_size == size
        except OSError:
            return False

    def settle(self) -> None:
        """Wait until everything written is on the disk: what names it comes next."""
        written, self._written = self._written, []
        if len(written) > FEW:
            os.sync()
            return
        for path in {*written, *(str(Path(path).parent) for path in written)}:
            descriptor = os.open(self.folder / path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def files(self, place: str) -> Iterator[str]:
        """Every file below a place, sorted."""
        for path in sorted((self.folder / place).rglob("*")):
            if path.is_file():
                yield str(path.relative_to(self.folder))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes the index meanwhile.

        Raises:
            OutsideError: somebody does, for too long.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / ".lock", timeout=PATIENCE):
                yield
        except Timeout as error:
            raise OutsideError(
                "another process is changing the index", where=str(self.folder), hint="try again later"
            ) from error
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> OutsideError:
        where = str(error.filename or self.folder)
        return OutsideError(f"the index cannot be read or written: {error.strerror or error}", where=where)
