from __future__ import annotations

import os
import socket
import threading

from openhands_recipes.adapters.sandbox import wire


def test_messages_arrive_whole_and_in_order() -> None:
    first, second = wire.pair()
    big = ("big", b"x" * 3_000_000)

    def send() -> None:
        first.send(("one", 1, None))
        first.send(big)

    sender = threading.Thread(target=send)
    sender.start()
    assert second.receive() == (("one", 1, None), ())
    assert second.receive() == (big, ())
    sender.join()
    first.close()
    assert second.receive() is None
    second.close()


def test_names_that_are_no_utf8_survive() -> None:
    first, second = wire.pair()
    first.send(("name", os.fsdecode(b"\xff\xfe")))
    received = second.receive()
    assert received is not None
    assert os.fsencode(str(received[0][1])) == b"\xff\xfe"
    first.close()
    second.close()


def test_open_files_travel_along() -> None:
    first, second = wire.pair()
    read, write = os.pipe()
    first.send(("pipe",), (read, write))
    os.close(read)
    os.close(write)
    received = second.receive()
    assert received is not None
    message, (read, write) = received
    assert message == ("pipe",)
    os.write(write, b"through")
    assert os.read(read, 10) == b"through"
    for fd in (read, write, first.detach()):
        os.close(fd)
    assert second.receive() is None
    second.close()


def test_a_message_that_breaks_off_is_no_message() -> None:
    raw, end = socket.socketpair()
    channel = wire.Channel(end.detach())
    raw.sendall(b"\x10\x00\x00\x00half")
    raw.close()
    assert channel.receive() is None
    channel.close()
