"""Process 1 of a box: takes orders over the channel, buries the dead, ends the box when its owner is gone.

It never executes or reads anything of the image: before the first order every import path is closed, and the
kernel keeps other processes out of its memory (its address space belongs to the host's user namespace).
"""

from __future__ import annotations

import os
import select
import signal
import sys

from openhands_recipes.adapters.sandbox import minder, upper
from openhands_recipes.adapters.sandbox.rootfs import Root
from openhands_recipes.adapters.sandbox.wire import Channel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def serve(channel: Channel, order: dict[str, Any], root: Root, watched: int) -> None:
    """Carry out orders until the channel closes or the watched process ends; then everything inside dies."""
    sys.path[:] = []
    sys.meta_path[:] = []
    poller = select.poll()
    wakeup = watch_children()
    for fd in (channel.fileno(), watched, wakeup):
        poller.register(fd, select.POLLIN)
    minders: set[int] = set()
    while True:
        ready = {fd for fd, _ in poller.poll()}
        if watched in ready:
            return
        if wakeup in ready:
            _bury(wakeup, minders)
        if channel.fileno() in ready:
            received = channel.receive()
            if received is None:
                return
            message, files = received
            _obey(message, files, order, root, minders)
            for file in files:
                os.close(file)


def watch_children() -> int:
    """A descriptor that becomes readable when a child ends."""
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return read


def _bury(wakeup: int, minders: set[int]) -> None:
    os.read(wakeup, 4096)
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if pid in minders:
            minders.discard(pid)
            if os.WIFSIGNALED(status):  # killed from inside: its command has lost its timeout
                minder.kill_descendants(os.getpid(), spare=minders)


def _obey(
    message: tuple[object, ...], files: tuple[int, ...], order: dict[str, Any], root: Root, minders: set[int]
) -> None:
    if message[0] == "open":
        upper.open_changed(Channel(os.dup(files[0])), root.upper, str(message[1]))
        return
    pid = os.fork()
    if pid:
        if message[0] == "run":
            minders.add(pid)
        return
    try:
        signal.set_wakeup_fd(-1)
        if message[0] == "run":
            command: dict[str, Any] = message[1]  # type: ignore[assignment]  # by protocol
            minder.serve(Channel(os.dup(files[0])), command, order["filter"])
        else:
            upper.send_changes(Channel(os.dup(files[0])), root.upper, frozenset(root.made))
    finally:
        os._exit(0)
