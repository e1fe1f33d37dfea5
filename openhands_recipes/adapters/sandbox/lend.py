"""Writable folders of the machine, lent by root to one account inside (mount_setattr(2), ID-mapped mounts).

Inside, what belongs to the folder's owner belongs to that account, both ways; everybody else's files stay
nobody's. Only root may do this; other users map themselves into the sandbox instead (`ids.IdRange`).
"""

from __future__ import annotations

import os
import signal

from openhands_recipes.adapters.sandbox import linux


def lend(mount: int, owners: tuple[int, int], borrowers: tuple[int, int]) -> None:
    """Let `borrowers` (a user and a group of the machine) stand for a detached mount's `owners`.

    Raises:
        OSError: the file system cannot; the mount is as it was.
    """
    namespace = _namespace(owners, borrowers)
    try:
        linux.map_mount_owners(mount, namespace)
    finally:
        os.close(namespace)


def _namespace(owners: tuple[int, int], borrowers: tuple[int, int]) -> int:
    """A user namespace that maps the one to the other; it lives as long as its descriptor."""
    read, write = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        linux.unshare(linux.CLONE_NEWUSER)
        os.write(write, b"ready")
        signal.pause()
    os.close(write)
    try:
        os.read(read, 5)
        for kind, owner, borrower in zip(("uid", "gid"), owners, borrowers, strict=True):
            with open(f"/proc/{pid}/{kind}_map", "w", encoding="ascii") as file:
                file.write(f"{owner} {borrower} 1\n")
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(read)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
