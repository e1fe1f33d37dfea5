"""A real HTTP server on the loopback address that can misbehave in every way we expect to survive."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 16384


@dataclass
class Reply:
    """How one request is answered; the body is the resource's own unless given."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut_after: int | None = None
    """Close the connection after so many bytes of the body."""
    ignore_range: bool = False
    announce: int | None = None
    """Content-Length to announce instead of the true one; -1 for none at all."""
    pause: float = 0.0
    """Seconds before each piece."""


Behaviour = Callable[[int], Reply]
"""The reply to the n-th request (from 0) for a path."""


class Web:
    """What is served, and what was asked for."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.files: dict[str, bytes] = {}
        self.behaviour: dict[str, Behaviour] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.peers: set[tuple[str, int]] = set()
        self.lock = threading.Lock()

    @property
    def counts(self) -> Counter[str]:
        return Counter(path for path, _ in self.requests)

    def put(self, path: str, content: bytes, *replies: Reply) -> str:
        """Serve `content`; the first requests get `replies`, later ones are answered well."""
        self.files[path] = content
        if replies:
            self.behaviour[path] = lambda n: replies[n] if n < len(replies) else Reply()
        return self.url + path

    def reply_to(self, path: str, number: int) -> Reply:
        behaviour = self.behaviour.get(path)
        return behaviour(number) if behaviour else Reply()

    def always(self, path: str, content: bytes, reply: Reply) -> str:
        self.files[path] = content
        self.behaviour[path] = lambda _: reply
        return self.url + path


class Handler(BaseHTTPRequestHandler):
    """Answers GET as the web says; a subclass of its own per server carries `web`."""

    protocol_version = "HTTP/1.1"
    web: Web

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is inherited
        pass

    def do_GET(self) -> None:
        web = self.web
        with web.lock:
            number = web.counts[self.path]
            web.peers.add(self.client_address)
            web.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        reply = web.reply_to(self.path, number)
        content = web.files.get(self.path) if reply.body is None else reply.body
        if content is None:
            reply, content = Reply(404), b"not here"
        asked = self.headers.get("Range", "")
        if reply.status == 200 and asked.startswith("bytes=") and not reply.ignore_range:
            start = int(asked[6:].rstrip("-"))
            if start < len(content):
                last = len(content) - 1
                ranged = {"Content-Range": f"bytes {start}-{last}/{last + 1}"} | reply.headers
                reply, content = replace(reply, status=206, headers=ranged), content[start:]
            else:
                reply, content = replace(reply, status=416), b""
        self._head(reply, len(content))
        self._body(content, reply)

    def _head(self, reply: Reply, size: int) -> None:
        self.send_response(reply.status)
        announced = size if reply.announce is None else reply.announce
        if announced >= 0:
            self.send_header("Content-Length", str(announced))
        else:
            self.close_connection = True
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _body(self, content: bytes, reply: Reply) -> None:
        if reply.cut_after is not None:
            content = content[: reply.cut_after]
        with contextlib.suppress(OSError):
            for offset in range(0, len(content), PIECE):
                time.sleep(reply.pause)
                self.wfile.write(content[offset : offset + PIECE])
            if reply.cut_after is not None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)


def _server(web: Web) -> ThreadingHTTPServer:
    class OwnHandler(Handler):
        pass

    OwnHandler.web = web
    return ThreadingHTTPServer(("127.0.0.1", 0), OwnHandler)


@contextlib.contextmanager
def serving() -> Iterator[Web]:
    """A server for the time of the block."""
    web = Web("")
    server = _server(web)
    server.daemon_threads = True
    web.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def dead_url() -> str:
    """A URL at which nobody listens."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{door.getsockname()[1]}"
