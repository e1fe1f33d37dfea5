"""Carries a command's streams between its pipes and our side until it has ended."""

from __future__ import annotations

import os
import selectors
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO

from openhands_recipes.adapters.sandbox.wire import Channel
from openhands_recipes.errors import SandboxError

_PIECE = 1 << 16
_HEAD = _TAIL = 8 << 20

Sink = Callable[[bytes], object]


class Collected:
    """Output kept in memory: the first and the last 8 MiB, with a word about what lay between."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._lost = 0

    def __call__(self, piece: bytes) -> None:
        """Take a piece."""
        room = _HEAD - len(self._head)
        self._head += piece[:room]
        self._tail += piece[room:] if room > 0 else piece
        if len(self._tail) > 2 * _TAIL:
            self._lost += len(self._tail) - _TAIL
            del self._tail[:-_TAIL]

    @property
    def content(self) -> bytes:
        """All of it, or its two ends."""
        gap = f"\n[... {self._lost} bytes left out ...]\n".encode() if self._lost else b""
        return bytes(self._head) + gap + bytes(self._tail)


def sink_of(target: Sink | IO[bytes] | None) -> Sink:
    """Where a stream goes: to a callback, into a file, or into memory."""
    if target is None:
        return Collected()
    return target if callable(target) else target.write


class Pump:
    """The streams of one command and the channel to its minder; owns and closes all of them."""

    def __init__(self, channel: Channel, stdin: int, feed: bytes, outputs: Mapping[int, Sink]) -> None:
        self._channel = channel
        self._feed = memoryview(feed)
        self._outputs = dict(outputs)
        self._selector = selectors.DefaultSelector()
        self._selector.register(channel, selectors.EVENT_READ)
        self._stdin = stdin
        for fd in (stdin, *outputs):
            os.set_blocking(fd, False)
            self._selector.register(fd, selectors.EVENT_WRITE if fd == stdin else selectors.EVENT_READ)
        if not feed:
            self._finish(stdin)

    def run(self) -> tuple[int, bool]:
        """Pump until the command has ended: its exit code, and whether it ran out of time.

        If a sink raises, or the caller is interrupted, the command's tree is killed first.
        """
        try:
            return self._loop()
        except BaseException:
            with suppress(OSError, SandboxError):
                self._channel.send(("kill",))
                self._outputs = dict.fromkeys(self._outputs, _forget)
                self._loop()
            raise
        finally:
            for fd in [*self._outputs, self._stdin]:
                self._finish(fd)
            self._selector.close()
            self._channel.close()

    def _loop(self) -> tuple[int, bool]:
        while True:
            ended = None
            for key, _ in self._selector.select():
                if key.fileobj is self._channel:
                    ended = self._hear()
                elif key.fd == self._stdin:
                    self._write()
                else:
                    self._read(key.fd)
            if ended:
                for fd in list(self._outputs):  # what it wrote before it ended is in the pipes
                    while self._read(fd):
                        continue
                return ended

    def _hear(self) -> tuple[int, bool]:
        received = self._channel.receive()
        match received:
            case (("ended", int(code), bool(timed_out)), _):
                return code, timed_out
            case None:
                raise SandboxError(
                    "the sandbox was closed while a command was running in it",
                    hint="did the command kill its own keeper, or the machine run out of memory?",
                )
        raise SandboxError(f"the sandbox says {received[0][0]!r} where a command's end was due")

    def _read(self, fd: int) -> bool:
        try:
            piece = os.read(fd, _PIECE)
        except BlockingIOError:
            return False
        except OSError:  # a terminal whose other end is closed
            piece = b""
        if piece:
            self._outputs[fd](piece)
        else:
            self._finish(fd)
        return bool(piece)

    def _write(self) -> None:
        try:
            self._feed = self._feed[os.write(self._stdin, self._feed[:_PIECE]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._feed = self._feed[:0]
        if not self._feed:
            self._finish(self._stdin)

    def _finish(self, fd: int) -> None:
        if fd not in self._selector.get_map():
            return
        self._selector.unregister(fd)
        self._outputs.pop(fd, None)
        os.close(fd)


def _forget(_piece: bytes) -> None:
    return
