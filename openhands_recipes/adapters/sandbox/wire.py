"""Messages between the host side and the processes inside: values of builtin types, with open files.

Both ends are our own code of one Python version, so `marshal` is the format: it is compiled in and costs
no import. Processes under test never hold an end of a channel.
"""

from __future__ import annotations

import _socket
import marshal
import os
import struct

_HEADER = struct.Struct("=I")
_MAX_FILES = 16


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Message: TypeAlias = tuple[Any, ...] | dict[str, Any]


class Channel:
    """One end of a stream socket that carries whole messages and file descriptors, in order."""

    def __init__(self, fd: int) -> None:
        self._socket = _socket.socket(fileno=fd)

    def fileno(self) -> int:
        """For polling; -1 when closed."""
        return self._socket.fileno()

    def send(self, message: Message, files: tuple[int, ...] = ()) -> None:
        """Send a message; `files` are duplicated for the receiver.

        Raises:
            OSError: the other end is gone.
        """
        body = marshal.dumps(message)
        frame = _HEADER.pack(len(body)) + body
        rights = struct.pack(f"={len(files)}i", *files)
        ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)] if files else []
        sent = self._socket.sendmsg([frame], ancillary, _socket.MSG_NOSIGNAL)
        while sent < len(frame):
            sent += self._socket.send(frame[sent:], _socket.MSG_NOSIGNAL)

    def receive(self) -> tuple[tuple[object, ...], tuple[int, ...]] | None:
        """The next message and its files, or None when the other end is gone."""
        try:
            head, ancillary, _, _ = self._socket.recvmsg(
                _HEADER.size, _socket.CMSG_SPACE(4 * _MAX_FILES), _socket.MSG_CMSG_CLOEXEC
            )
        except ConnectionResetError:
            return None
        files: tuple[int, ...] = ()
        for level, kind, rights in ancillary:
            if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
                files += struct.unpack(f"={len(rights) // 4}i", rights[: len(rights) // 4 * 4])
        body = self._exactly(_HEADER.unpack(head)[0]) if len(head) == _HEADER.size else None
        if body is None:
            for file in files:
                os.close(file)
            return None
        message = marshal.loads(body)  # noqa: S302 - see the module's docstring
        return (message if isinstance(message, tuple) else (message,)), files

    def _exactly(self, size: int) -> bytes | None:
        received = bytearray()
        while len(received) < size:
            try:
                piece = self._socket.recv(min(size - len(received), 1 << 20))
            except ConnectionResetError:
                return None
            if not piece:
                return None
            received += piece
        return bytes(received)

    def close(self) -> None:
        """Close this end; the other end reads None."""
        self._socket.close()

    def detach(self) -> int:
        """Give the descriptor away; the channel is closed for its owner."""
        return self._socket.detach()


def pair() -> tuple[Channel, Channel]:
    """Two connected ends."""
    first, second = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    return Channel(first.detach()), Channel(second.detach())
