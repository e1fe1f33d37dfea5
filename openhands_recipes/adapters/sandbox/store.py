"""Trees and writable layers on disk, as the host side sees them.

The outer folder is the caller's alone (0700); below it the sandbox's own root, a stranger to the caller,
may come and go. On disk names are short: an overlay's options must fit into one page however many trees
are stacked. A lock on a tree's folder says that a box is using it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from openhands_recipes.adapters.sandbox.unpack import UNSAFE
from openhands_recipes.errors import SandboxError

_FOLDERS = {"trees": 0o777, "uppers": 0o777, "stage": 0o755, "locks": 0o700}


def short_name(name: str) -> str:
    """The folder of a tree or upper: sixteen characters that depend on the name alone."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def boot_id() -> str:
    """Changes with every start of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


class Store:
    """One user's trees and uppers for one range of ids."""

    def __init__(self, folder: Path, range_name: str) -> None:
        self.base = folder / range_name
        if not (self.base / "ready").exists():
            self._create(folder)

    def _create(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)
            self.base.mkdir(exist_ok=True)
            self.base.chmod(0o711)
            for name, mode in _FOLDERS.items():
                (self.base / name).mkdir(exist_ok=True)
                (self.base / name).chmod(mode)
            (self.base / "ready").touch()
        except OSError as error:
            raise SandboxError(
                f"the sandbox's folder cannot be made: {error.strerror}",
                where=str(folder),
                hint="choose a cache folder on a local disk that belongs to you",
            ) from error

    def tree(self, name: str) -> Path:
        """Where a tree is or will be."""
        return self.base / "trees" / short_name(name)

    def has_tree(self, name: str) -> bool:
        """Whether a tree is there, complete, and not from before a power cut (see `unpack`)."""
        path = self.tree(name)
        try:
            boot = path.with_name(path.name + UNSAFE).read_text(encoding="ascii")
        except FileNotFoundError:
            return path.is_dir()
        return path.is_dir() and boot == boot_id()

    def upper(self, name: str) -> Path:
        """Where a kept writable layer is or will be."""
        return self.base / "uppers" / short_name(name)

    def contents(self) -> list[Path]:
        """Every tree and upper there is."""
        kinds = (self.base / "trees", self.base / "uppers")
        return [path for kind in kinds for path in kind.iterdir() if path.is_dir()]

    def hold_trees(self, names: Sequence[str], stack: ExitStack) -> list[int]:
        """Open trees and lock them against removal; the descriptors live as long as the stack.

        Raises:
            SandboxError: one of them does not exist.
        """
        held = []
        for name in names:
            path = self.tree(name)
            try:
                fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                stack.callback(os.close, fd)
                fcntl.flock(fd, fcntl.LOCK_SH)
                gone = not os.path.samestat(os.fstat(fd), path.stat())
            except FileNotFoundError:
                gone = True
            if gone:
                raise SandboxError(
                    f"no tree named {name!r}", where=str(path), hint="add it before opening a box"
                )
            held.append(fd)
        return held

    def lock(self, name: str, stack: ExitStack, *, wait: bool) -> int:
        """Be the only one who works on something; `-1` when another does and we do not wait."""
        fd = os.open(self.base / "locks" / short_name(name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(fd)
            return -1
        stack.callback(os.close, fd)
        return fd

    def retire(self, path: Path) -> Path | None:
        """Take a tree or upper out of use, so that it may be removed at leisure; None when there is none.

        Raises:
            SandboxError: a box is using it.
        """
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            gone = path.parent / f".gone-{path.name}-{os.urandom(4).hex()}"
            path.rename(gone)
        except BlockingIOError:
            raise SandboxError(
                "a sandbox is using it", where=str(path), hint="try again when it has ended"
            ) from None
        finally:
            os.close(fd)
        return gone
