"""The first process of a sandbox: enters a user namespace, starts what was asked for, cleans up after it.

It runs as `python -I -S` in the store's folder, single-threaded, holding one end of a channel. The host side
writes its id maps; it then becomes root of its own user namespace and nothing outside of it.
"""

from __future__ import annotations

import os
import signal

from openhands_recipes.adapters.sandbox import linux, rootfs, supervisor, unpack
from openhands_recipes.adapters.sandbox.wire import Channel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def main(fd: int) -> None:
    """Read the order and carry it out; the process ends with it."""
    linux.rename_process(b"sandbox")
    channel = Channel(fd)
    received = channel.receive()
    if received is None:
        return
    order: dict[str, Any] = received[0][0]  # type: ignore[assignment]  # by protocol
    try:
        if order["role"] == "box":
            _box(channel, order)
        else:
            _enter_user_namespace(channel, 0)
            become_root()
            unpack.serve(channel, order)
    except OSError as error:
        report(channel, error)


def report(channel: Channel, error: OSError) -> None:
    """Tell the host side why a sandbox cannot be; it knows how to say it."""
    try:
        channel.send(("error", error.errno or 0, str(error)))
    except OSError:
        return  # nobody is left to hear it


def _enter_user_namespace(channel: Channel, flags: int) -> None:
    linux.join_new_keyring()
    linux.unshare(linux.CLONE_NEWUSER | flags)
    channel.send(("map",))
    if channel.receive() is None:
        raise SystemExit


def become_root() -> None:
    """Be id 0 of the user namespace, untouchable for anything without rights over the host's processes."""
    os.setresgid(0, 0, 0)
    os.setgroups([])
    os.setresuid(0, 0, 0)
    linux.prctl(linux.PR_SET_DUMPABLE, 0)


def _box(channel: Channel, order: dict[str, Any]) -> None:
    os.umask(0o022)  # the caller's may shut the sandbox's accounts out of their own root
    flags = linux.CLONE_NEWPID | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS | linux.CLONE_NEWCGROUP
    if not order["network"]:
        flags |= linux.CLONE_NEWNET
    watched = os.pidfd_open(order["parent"])
    binds = None
    if order["real_root"]:  # only the machine's root may look into other people's folders
        linux.unshare(linux.CLONE_NEWNS)
        binds = rootfs.open_binds(order)
    _enter_user_namespace(channel, flags)
    pid = os.fork()
    if pid == 0:
        _first_process(channel, order, binds, watched)
    channel.close()
    become_root()
    os.waitpid(pid, 0)
    if order["upper"] and not order["keep_upper"]:
        unpack.remove(order["upper"])


def _first_process(channel: Channel, order: dict[str, Any], binds: list[int] | None, watched: int) -> None:
    try:
        linux.unshare(linux.CLONE_NEWNS)
        if binds is None:
            binds = rootfs.open_binds(order)
        become_root()
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        root = rootfs.enter(order, binds)
        channel.send(("ready", root.memory))
        supervisor.serve(channel, order, root, watched)
    except OSError as error:
        report(channel, error)
    finally:
        os._exit(0)
