"""Real registries on loopback, a proxy in front of them that misbehaves as it is told, and a push to them."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR, create_server
from typing import Self
from urllib.parse import urlsplit

from openhands_recipes.adapters.registry.client import FindCredentials, Limits, OciRegistry
from openhands_recipes.adapters.registry.retry import Patience
from openhands_recipes.model.reference import parse_address
from openhands_recipes.ports import PushOrder, PushReport
from tests.integration.debian_tools import installed
from tests.integration.sample_image import Sample

PIECE = 64 * 1024


def free_port() -> int:
    with create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])


@dataclass(frozen=True)
class RunningRegistry:
    host: str
    storage: Path

    def get(self, path: str, accept: str = "*/*") -> bytes:
        request = urllib.request.Request(f"http://{self.host}/v2/{path}", headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return bytes(answer.read())

    def tags(self, repository: str) -> list[str]:
        return sorted(json.loads(self.get(f"{repository}/tags/list"))["tags"] or [])


def start_registry(
    folder: Path,
    *,
    auth: Mapping[str, object] | None = None,
    program: Path | None = None,
    tls: Path | None = None,
) -> tuple[RunningRegistry, subprocess.Popen[bytes]]:
    """Debian's docker-registry, or another program that reads the same configuration.

    `tls` is a folder with cert.pem and key.pem.
    """
    binary = program or installed("docker-registry", "docker-registry")
    folder.mkdir(parents=True, exist_ok=True)
    storage, port = folder / "storage", free_port()
    http_settings: dict[str, object] = {"addr": f"127.0.0.1:{port}", "secret": "for the tests"}
    if tls:
        http_settings["tls"] = {"certificate": str(tls / "cert.pem"), "key": str(tls / "key.pem")}
    settings: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(storage)}, "delete": {"enabled": True}},
        "http": http_settings,
    }
    if auth:
        settings["auth"] = auth
    config = folder / "config.yml"
    config.write_text(json.dumps(settings))  # JSON is YAML
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([binary, "serve", config], stdout=log, stderr=log)
    _wait_for(port, process, folder / "log")
    return RunningRegistry(f"127.0.0.1:{port}", storage), process


@contextmanager
def running_registry(
    folder: Path,
    *,
    auth: Mapping[str, object] | None = None,
    program: Path | None = None,
    tls: Path | None = None,
) -> Iterator[RunningRegistry]:
    registry, process = start_registry(folder, auth=auth, program=program, tls=tls)
    try:
        yield registry
    finally:
        process.terminate()
        process.wait(timeout=10)


def basic_auth(folder: Path, user: str, password: str) -> dict[str, object]:
    """An htpasswd file, as the registry's configuration wants it named."""
    binary = installed("htpasswd", "apache2-utils")
    folder.mkdir(parents=True, exist_ok=True)
    made = subprocess.run([binary, "-nbB", user, password], capture_output=True, check=True)
    (folder / "htpasswd").write_bytes(made.stdout)
    return {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}}


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"registry ended: {log.read_text()}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/v2/")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("registry did not start")


HASTY = Patience(first=0.01, longest=0.05)
"""Patience for tests: as many tries, next to no waiting."""


def push(
    host: str,
    sample: Sample,
    order: PushOrder,
    *,
    limits: Limits | None = None,
    credentials: FindCredentials = lambda *_: None,
    plain_http: bool = True,
) -> PushReport:
    with OciRegistry(
        parse_address(f"{host}/team"),
        plain_http=plain_http,
        credentials=credentials,
        limits=limits or Limits(patience=HASTY),
    ) as door:
        return door.push(order, blobs=sample.blob)


# --- the proxy ---------------------------------------------------------------------------------------


@dataclass
class Seen:
    """One request that came to the proxy."""

    method: str
    path: str
    query: str
    size: int
    authorization: str = ""
    received: int = 0
    """Bytes of body that really came."""
    status: int = 0
    """What was answered; 0 for a cut connection."""

    @property
    def is_upload(self) -> bool:
        return "/blobs/uploads/" in self.path


@dataclass(frozen=True)
class Answer:
    """Answer without asking the registry."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Cut:
    """Break the connection after this many bytes of the body; they are passed on first if `forward`."""

    after: int = 0
    forward: bool = True


@dataclass(frozen=True)
class CutAnswer:
    """Let the registry do it, but never tell."""


@dataclass(frozen=True)
class Change:
    """Pass on, with another header in the answer: a value, or what becomes of the old one, or none."""

    name: str
    value: str | Callable[[str], str] | None


@dataclass(frozen=True)
class Slow:
    """Pass on, after waiting."""

    seconds: float


Trouble = Answer | Cut | CutAnswer | Change | Slow | None
Plan = Callable[[Seen], Trouble]


class QuietServer(ThreadingHTTPServer):
    """Broken connections are what these tests are about; they need no traceback."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass


class Proxy:
    """Stands in front of a registry, remembers every request, and makes the trouble `plan` asks for."""

    def __init__(self, upstream: str, plan: Plan | None = None) -> None:
        self.seen: list[Seen] = []
        self.plan = plan or (lambda _: None)
        proxy = self

        class Handler(_Handler):
            owner = proxy
            behind = upstream

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def counted(self, method: str, part: str = "") -> int:
        return len([seen for seen in self.seen if seen.method == method and part in seen.path])

    @property
    def body_bytes(self) -> int:
        return sum(seen.received for seen in self.seen if seen.is_upload)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Proxy
    behind: str

    def handle_any(self) -> None:
        parts = urlsplit(self.path)
        seen = Seen(
            self.command,
            parts.path,
            parts.query,
            int(self.headers.get("Content-Length", 0)),
            self.headers.get("Authorization", ""),
        )
        self.owner.seen.append(seen)
        match self.owner.plan(seen):
            case Answer() as answer:
                self._drain(seen)
                self._reply(seen, answer.status, dict(answer.headers), answer.body)
            case Cut(after=after, forward=forward):
                self._cut(seen, after, forward=forward)
            case CutAnswer():
                self._ask(seen)
                self._hang_up()
            case Change(name=name, value=value):
                status, headers, body = self._ask(seen)
                self._reply(seen, status, _changed(headers, name, value), body)
            case Slow(seconds=seconds):
                time.sleep(seconds)
                self._reply(seen, *self._ask(seen))
            case None:
                self._reply(seen, *self._ask(seen))

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self.handle_any
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def _ask(self, seen: Seen) -> tuple[int, dict[str, str], bytes]:
        connection = self._forwarded()
        for piece in self._pieces(seen, seen.size):
            connection.send(piece)
        answer = connection.getresponse()
        body = answer.read()
        headers = {key: value for key, value in answer.getheaders() if key.lower() != "connection"}
        connection.close()
        return answer.status, headers, body

    def _cut(self, seen: Seen, after: int, *, forward: bool) -> None:
        connection = self._forwarded() if forward else None
        for piece in self._pieces(seen, after):
            if connection:
                connection.send(piece)
        if connection:
            time.sleep(0.2)  # let the registry read what was passed on
            connection.close()
        self._hang_up()

    def _forwarded(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self.behind, timeout=30)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() != "connection":
                connection.putheader(name, value)
        connection.endheaders()
        return connection

    def _pieces(self, seen: Seen, size: int) -> Iterator[bytes]:
        while seen.received < size:
            piece = self.rfile.read(min(PIECE, size - seen.received))
            if not piece:
                return
            seen.received += len(piece)
            yield piece

    def _drain(self, seen: Seen) -> None:
        for _ in self._pieces(seen, seen.size):
            pass

    def _reply(self, seen: Seen, status: int, headers: dict[str, str], body: bytes) -> None:
        seen.status = status
        self.send_response_only(status)
        if not any(name.lower() == "content-length" for name in headers) and status != 204:
            headers["Content-Length"] = str(len(body))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(SHUT_RDWR)


def _changed(headers: dict[str, str], name: str, value: str | Callable[[str], str] | None) -> dict[str, str]:
    old = next((held for key, held in headers.items() if key.lower() == name.lower()), None)
    kept = {key: held for key, held in headers.items() if key.lower() != name.lower()}
    if callable(value):
        return kept | {name: value(old)} if old is not None else kept
    return kept if value is None else kept | {name: value}
