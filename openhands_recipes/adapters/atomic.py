"""Files that are there whole or not at all.

Everything is written to a temporary name in the same folder first, so the last step is one rename.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

TEMPORARY_SUFFIX = ".tmp"


def temporary_name(folder: Path, name: str) -> Path:
    """A name in `folder` that no other process uses, recognisable as left over after a crash."""
    return folder / f".{name[:100]}.{os.getpid()}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"


@contextlib.contextmanager
def atomic_file(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """A new file to write to, that takes the place of `path` when the block ends without an error.

    `durable` waits until the bytes and the rename are on the disk: for what cannot be made again.
    Permissions follow the umask, as for any new file.

    Raises:
        OSError: as the system says it; the old content is untouched then.
    """
    temporary = temporary_name(path.parent, path.name)
    try:
        with temporary.open("xb") as stream:
            yield stream
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def atomic_write(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Put `content` at `path`; readers see the old bytes or the new ones, never a mixture.

    Raises:
        OSError: as the system says it; the old content is untouched then.
    """
    with atomic_file(path, durable=durable) as stream:
        stream.write(content)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
