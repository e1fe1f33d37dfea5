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
        _Watch(channel, pid, command["timeout"]).run(wakeup)
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


class _Watch:
    """One command being watched until the last of its descendants has ended."""

    def __init__(self, channel: Channel, pid: int, timeout: float | None) -> None:
        self._channel = channel
        self._pid = pid
        self._end = None if timeout is None else time.monotonic() + timeout
        self._timed_out = self._killed = self._told = False
        self._code: int | None = None

    def run(self, wakeup: int) -> None:
        poller = select.poll()
        poller.register(wakeup, select.POLLIN)
        poller.register(self._channel.fileno(), select.POLLIN)
        while True:
            ready = {fd for fd, _ in poller.poll(self._milliseconds_left())}
            if wakeup in ready:
                os.read(wakeup, 4096)
            childless = self._bury()
            self._tell(childless=childless)
            if childless:
                return
            if self._channel.fileno() in ready and not self._obey():
                poller.unregister(self._channel.fileno())
            if self._end is not None and time.monotonic() >= self._end:
                self._timed_out, self._end = True, None
                self._kill()

    def _milliseconds_left(self) -> float | None:
        return None if self._end is None else max(0.0, self._end - time.monotonic()) * 1000 + 1

    def _bury(self) -> bool:
        """Take note of who is dead; whether nobody is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self._pid:
                code = os.waitstatus_to_exitcode(status)
                self._code, self._end = (128 - code if code < 0 else code), None

    def _tell(self, *, childless: bool) -> None:
        """Report the end: at once, or, if the tree was killed, when nothing of it is left."""
        if self._code is not None and not self._told and (childless or not self._killed):
            self._told = True
            self._channel.send(("ended", self._code, self._timed_out))

    def _obey(self) -> bool:
        received = self._channel.receive()
        running = self._code is None
        if received is None:
            if running:
                self._kill()
            return False
        message, _ = received
        if message[0] == "kill":
            self._kill()
        elif running:
            try:
                os.killpg(self._pid, int(str(message[1])))
            except ProcessLookupError:
                return True
        return True

    def _kill(self) -> None:
        self._killed = True
        kill_descendants(os.getpid())


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
