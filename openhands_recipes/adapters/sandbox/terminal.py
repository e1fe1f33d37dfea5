"""The caller's terminal, lent to a command inside; and the caller's signals, passed on to it.

The command has a terminal of its own, made inside; only bytes and the window's size pass between the two, so
nothing inside can type into the caller's shell.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import struct
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from openhands_recipes.adapters.sandbox.pump import Sink
from openhands_recipes.adapters.sandbox.wire import Channel
from openhands_recipes.errors import SandboxError

_PIECE = 1 << 14
_END_OF_INPUT = b"\x04"
_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_KEYBOARD = 0


def window_size(fd: int = _KEYBOARD) -> tuple[int, int]:
    """Rows and columns of a terminal; 24 by 80 where there is none."""
    try:
        columns, rows = os.get_terminal_size(fd)
    except OSError:
        return 24, 80
    return rows, columns


@contextmanager
def passing_signals_on(channel: Channel) -> Iterator[None]:
    """Signals to us go to the command. Only a main thread can promise that; elsewhere nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def pass_on(number: int, _frame: FrameType | None) -> None:
        with suppress(OSError):
            channel.send(("signal", number))

    before = {number: signal.signal(number, pass_on) for number in _PASSED_ON}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _lent(terminal: int) -> Iterator[None]:
    """Our terminal in raw mode, its size followed; as it was afterwards, whatever happens."""
    if not os.isatty(_KEYBOARD):
        yield
        return

    def follow_size(_number: int, _frame: FrameType | None) -> None:
        size = struct.pack("4H", *window_size(), 0, 0)
        with suppress(OSError):
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)

    in_main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGWINCH, follow_size) if in_main else None
    before = termios.tcgetattr(_KEYBOARD)
    tty.setraw(_KEYBOARD)
    try:
        yield
    finally:
        termios.tcsetattr(_KEYBOARD, termios.TCSADRAIN, before)
        if in_main:
            signal.signal(signal.SIGWINCH, handler)


def converse(channel: Channel, terminal: int, screen: Sink) -> tuple[int, bool]:
    """Carry keys in and output out until the command ends: its exit code, and whether its time was up."""
    talk = _Conversation(channel, terminal, screen)
    try:
        with _lent(terminal):
            return talk.run()
    finally:
        talk.close()


class _Conversation:
    def __init__(self, channel: Channel, terminal: int, screen: Sink) -> None:
        self._channel, self._terminal, self._screen = channel, terminal, screen
        self._typed = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(channel, selectors.EVENT_READ)
        self._selector.register(terminal, selectors.EVENT_READ)
        try:
            self._selector.register(_KEYBOARD, selectors.EVENT_READ)
        except (PermissionError, ValueError, OSError):  # /dev/null or a file cannot be waited for
            self._type(_END_OF_INPUT)
        os.set_blocking(terminal, False)

    def run(self) -> tuple[int, bool]:
        while True:
            ended = None
            for key, events in self._selector.select():
                if key.fileobj is self._channel:
                    ended = self._hear()
                elif key.fd == _KEYBOARD:
                    self._listen()
                else:
                    self._exchange(events)
            if ended:
                while self._show():
                    continue
                return ended

    def _hear(self) -> tuple[int, bool]:
        match self._channel.receive():
            case (("ended", int(code), bool(timed_out)), _):
                return code, timed_out
        raise SandboxError("the sandbox was closed while a command was running in it")

    def _listen(self) -> None:
        piece = os.read(_KEYBOARD, _PIECE)
        if not piece:
            self._selector.unregister(_KEYBOARD)
        self._type(piece or _END_OF_INPUT)

    def _type(self, piece: bytes) -> None:
        self._typed += piece
        self._selector.modify(self._terminal, selectors.EVENT_READ | selectors.EVENT_WRITE)

    def _exchange(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            with suppress(BlockingIOError, OSError):
                self._typed = self._typed[os.write(self._terminal, self._typed) :]
            if not self._typed:
                self._selector.modify(self._terminal, selectors.EVENT_READ)
        if events & selectors.EVENT_READ and not self._show():
            self._selector.unregister(self._terminal)

    def _show(self) -> bool:
        try:
            piece = os.read(self._terminal, _PIECE)
        except BlockingIOError:
            return False
        except OSError:  # every process inside has closed it
            return False
        if piece:
            self._screen(piece)
        return bool(piece)

    def close(self) -> None:
        self._selector.close()
        os.close(self._terminal)
        self._channel.close()
