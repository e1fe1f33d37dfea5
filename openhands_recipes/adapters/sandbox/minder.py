"""One per command: gives it streams, waits for it, enforces its timeout, kills its whole tree.

It is a subreaper: what a command leaves behind by forking twice still descends from it, however it calls
itself, so a timeout reaches setsid'ed daemons too.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import termios
import time

from openhands_recipes.adapters.sandbox import child, linux
from openhands_recipes.adapters.sandbox.wire import Channel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TIOCSPTLCK, _TIOCGPTN = 0x40045431, 0x80045430  # include/uapi/asm-generic/ioctls.h
_PATIENCE = 20.0  # seconds of trying to kill one tree


def serve(channel: Channel, command: dict[str, Any], program: bytes) -> None:
    """Run one command to its end and report it; goes on burying until the last descendant is gone."""
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    wakeup, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    mine, theirs = _terminal(command) if command["terminal"] else _pipes(command)
    pid = child.start(command, theirs, program)
    for fd in set(theirs):
        os.close(fd)
    channel.send(("started", pid), mine)
    for fd in mine:
        os.close(fd)
    try:
        _wait(channel, pid, wakeup, command["timeout"])
    except OSError:  # the owner is gone
        kill_descendants(os.getpid())


def _pipes(command: dict[str, Any]) -> tuple[tuple[int, ...], tuple[int, int, int]]:
    """Our ends and the command's; made in here, so that their owner inside can open /dev/stdout again."""
    input_read, input_write = os.pipe2(os.O_CLOEXEC)
    output_read, output_write = os.pipe2(os.O_CLOEXEC)
    error_read, error_write = os.pipe2(os.O_CLOEXEC)
    theirs = (input_read, output_write, error_write)
    for fd in theirs:
        os.fchown(fd, command["uid"], command["gid"])
    return (input_write, output_read, error_read), theirs


def _terminal(command: dict[str, Any]) -> tuple[tuple[int, ...], tuple[int, int, int]]:
    main = os.open("/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(main, _TIOCSPTLCK, struct.pack("i", 0))
    (number,) = struct.unpack("i", fcntl.ioctl(main, _TIOCGPTN, bytes(4)))
    other = os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    os.fchown(other, command["uid"], -1)
    rows, columns = command["size"]
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
    return (main,), (other, other, other)


def _wait(channel: Channel, pid: int, wakeup: int, timeout: float | None) -> None:
    poller = select.poll()
    poller.register(wakeup, select.POLLIN)
    poller.register(channel.fileno(), select.POLLIN)
    end = None if timeout is None else time.monotonic() + timeout
    timed_out, running = False, True
    while True:
        left = None if end is None else max(0.0, end - time.monotonic())
        ready = {fd for fd, _ in poller.poll(None if left is None else left * 1000 + 1)}
        if wakeup in ready:
            os.read(wakeup, 4096)
        status, childless = _reap(pid)
        if status is not None:
            running = False
            channel.send(("ended", status, timed_out))
            end = None
        if childless:
            return
        if channel.fileno() in ready and not _obey(channel, pid, running=running):
            poller.unregister(channel.fileno())
        if end is not None and time.monotonic() >= end:
            timed_out, end = True, None
            kill_descendants(os.getpid())


def _reap(main: int) -> tuple[int | None, bool]:
    """Bury who is dead: the main process's exit code if it is among them; whether nobody is left."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code, True
        if pid == 0:
            return code, False
        if pid == main:
            code = os.waitstatus_to_exitcode(status)
            code = 128 - code if code < 0 else code


def _obey(channel: Channel, pid: int, *, running: bool) -> bool:
    received = channel.receive()
    if received is None:
        if running:
            kill_descendants(os.getpid())
        return False
    message, _ = received
    if message[0] == "kill":
        kill_descendants(os.getpid())
    elif running:
        try:
            os.killpg(pid, int(str(message[1])))
        except ProcessLookupError:
            return True
    return True


def kill_descendants(ancestor: int, *, spare: set[int] | frozenset[int] = frozenset()) -> None:
    """Stop every descendant, then kill them all: who is stopped cannot fork away.

    `spare` names children whose whole families stay alive.
    """
    stopped: set[int] = set()
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        fresh = _descendants(ancestor, spare) - stopped
        if not fresh:
            break
        _signal(fresh, signal.SIGSTOP)
        stopped |= fresh
    _signal(_descendants(ancestor, spare) | stopped, signal.SIGKILL)


def _signal(pids: set[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _descendants(ancestor: int, spare: set[int] | frozenset[int]) -> set[int]:
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            parent = _parent_of(name)
            if parent:
                children.setdefault(parent, []).append(int(name))
    found: set[int] = set()
    queue = [ancestor]
    while queue:
        for pid in children.get(queue.pop(), ()):
            if pid not in spare and pid not in found:
                found.add(pid)
                queue.append(pid)
    return found


def _parent_of(pid: str) -> int:
    """The parent of a living process, 0 for the dead and the gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state, parent = file.read().rpartition(b")")[2].split()[:2]
    except OSError:
        return 0
    return 0 if state in (b"Z", b"X") else int(parent)
