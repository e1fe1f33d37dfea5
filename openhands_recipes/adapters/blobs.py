"""The content-addressed cache: `blobs/sha256/ab/<hex>`, each file complete and never changed.

What is still on its way lies in `partial/`, locked by whoever writes it, and becomes a blob by one
rename. A killed process leaves nothing but partial files, which the next one takes up.

It does not decide what is wanted or where it comes from, and never deletes a good blob.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from openhands_recipes.adapters.atomic import temporary_name
from openhands_recipes.adapters.cache_dir import CacheDir, cache_error
from openhands_recipes.adapters.leftovers import sweep_once_a_day
from openhands_recipes.errors import VerificationError
from openhands_recipes.model.digest import Digest, digest_of, hex_of

log = logging.getLogger(__name__)

EMPTY = digest_of(b"")
WAIT_SECONDS = 0.1
READ_BYTES = 1 << 20


class Stopped(Exception):  # noqa: N818 - not an error: whoever waits for it has said stop
    """Somebody told a waiting or downloading thread to stop."""


class Partial:
    """A blob on its way: exclusively ours, resumable, invisible to readers until it is complete.

    `size` bytes are there already; whoever continues must append from there or `restart`.
    """

    def __init__(self, path: Path, target: Path, *, digest: Digest, descriptor: int) -> None:
        self.path = path
        self.digest = digest
        self._target = target
        self._descriptor = descriptor
        self._hash = hashlib.sha256()
        self.size = 0
        while chunk := os.read(descriptor, READ_BYTES):
            self._hash.update(chunk)
            self.size += len(chunk)

    def write(self, chunk: bytes) -> None:
        """Append some bytes.

        Raises:
            OutsideError: no room; what was written before stays and can be continued.
        """
        view = memoryview(chunk)
        while view:
            try:
                written = os.write(self._descriptor, view)
            except OSError as error:
                raise cache_error(error, self.path.parent, needed=len(view)) from error
            self._hash.update(view[:written])
            self.size += written
            view = view[written:]

    def restart(self) -> None:
        """Forget the bytes written so far."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.ftruncate(self._descriptor, 0)
        self._hash = hashlib.sha256()
        self.size = 0

    def matches(self) -> bool:
        """Whether the bytes so far are the whole blob."""
        return f"sha256:{self._hash.hexdigest()}" == self.digest

    def finish(self) -> Path:
        """Make it a blob.

        Raises:
            VerificationError: the bytes are not the promised ones; they are forgotten.
        """
        if not self.matches():
            self.restart()
            raise VerificationError("the bytes do not have the promised digest", where=self.digest)
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self.path.replace(self._target)
        except OSError as error:
            raise cache_error(error, self._target.parent) from error
        return self._target

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Unlocked by hand: processes forked meanwhile hold the same lock as long as they live.
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        os.close(self._descriptor)


class BlobStore:
    """`ports.Blobs` in the cache folder; any number of threads and processes may share it."""

    def __init__(self, cache: CacheDir) -> None:
        self._cache = cache
        self._swept = False

    @property
    def folder(self) -> Path:
        """The folder whose file system holds the blobs."""
        return self._cache.folder("blobs", "sha256")

    def path(self, digest: Digest, *, size: int | None = None) -> Path | None:
        """Where a blob lies, or None.

        A file with another size than `size`, or none at all, is what a power cut may leave behind:
        it is removed.
        """
        target = self._target(digest)
        try:
            found = target.stat().st_size
        except FileNotFoundError:
            return None
        if (size is not None and found != size) or (found == 0 and digest != EMPTY):
            target.unlink(missing_ok=True)
            return None
        return target

    def add(self, content: bytes) -> Digest:
        """Keep some bytes.

        Raises:
            OutsideError: no room, or the cache is not writable.
        """
        digest = digest_of(content)
        if self.path(digest, size=len(content)) is None:
            temporary = temporary_name(self._partials(), hex_of(digest))
            try:
                temporary.write_bytes(content)
                self._move(temporary, digest)
            except OSError as error:
                raise cache_error(error, temporary.parent, needed=len(content)) from error
            finally:
                temporary.unlink(missing_ok=True)
        return digest

    def adopt(self, file: Path, digest: Digest) -> Path:
        """Make a finished file of the same file system a blob by renaming it; its digest is known.

        Raises:
            OutsideError: the rename failed.
        """
        try:
            return self._move(file, digest)
        except OSError as error:
            raise cache_error(error, self.folder) from error

    def temporary(self, name: str) -> Path:
        """A new file name on the blobs' file system, for `adopt`; left-overs are swept after a day."""
        return temporary_name(self._partials(), name)

    def discard(self, digest: Digest) -> None:
        """Forget a blob that will not be needed again."""
        self._target(digest).unlink(missing_ok=True)

    def partial(self, digest: Digest, *, stop: threading.Event | None = None) -> Partial | None:
        """The blob's partial file, locked; None when the blob is complete, perhaps just now by others.

        Waits while another process or thread works on it. `stop` ends the waiting with
        `Stopped`.

        Raises:
            OutsideError: the cache is not writable.
        """
        path = self._partials() / hex_of(digest)
        told = False
        while self.path(digest) is None:
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            except OSError as error:
                raise cache_error(error, path.parent) from error
            try:
                if _locked(descriptor) and _is_at(descriptor, path):
                    if self.path(digest) is None:
                        opened, descriptor = descriptor, -1
                        return Partial(path, self._target(digest), digest=digest, descriptor=opened)
                    path.unlink(missing_ok=True)
                    return None
            finally:
                if descriptor >= 0:
                    os.close(descriptor)
            if stop is not None and stop.is_set():
                raise Stopped
            if not told:
                log.info("waiting for another download of %s", digest)
            time.sleep(WAIT_SECONDS)
            told = True
        return None

    def partial_size(self, digest: Digest) -> int:
        """How many bytes of a blob on its way are there."""
        try:
            return (self._partials() / hex_of(digest)).stat().st_size
        except FileNotFoundError:
            return 0

    def _target(self, digest: Digest) -> Path:
        name = hex_of(digest)
        return self._cache.root / "blobs" / "sha256" / name[:2] / name

    def _move(self, file: Path, digest: Digest) -> Path:
        target = self._target(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        return file.replace(target)

    def _partials(self) -> Path:
        folder = self._cache.folder("partial")
        if not self._swept:
            self._swept = True
            sweep_once_a_day(self._cache.root)
        return folder


def _locked(descriptor: int) -> bool:
    """Take the lock that dies with its process; False while another one has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one with that name: its last owner may have renamed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
