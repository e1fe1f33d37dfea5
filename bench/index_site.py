"""An index of a hundred thousand made-up recipes, and a static host that counts what it serves."""

from __future__ import annotations

import functools
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.harness import say
from bench.index_ledger import GeneratedLedger
from openhands_recipes.adapters.clock import SystemClock
from openhands_recipes.adapters.index_folder import IndexFolder
from openhands_recipes.adapters.index_keys import KeyFolders
from openhands_recipes.adapters.tuf_repository import TufRepository
from openhands_recipes.cli.progress import Reporter, Silent
from openhands_recipes.flows.index import add, name_index
from openhands_recipes.ports.index_site import NewIndex

RECIPES, VERSIONS, CHANGED = 100_000, 10, 1000


@dataclass
class MadeIndex:
    """The index in its folder, and how long its building took."""

    folder: Path
    seconds: float
    ledger: GeneratedLedger

    @property
    def root(self) -> Path:
        """What readers trust."""
        return self.folder / "index" / "metadata" / "1.root.json"

    def repository(self) -> TufRepository:
        """With all its keys."""
        return TufRepository(
            IndexFolder(self.folder / "index"), KeyFolders([self.folder / "keys"]), SystemClock()
        )

    def add(self, ledger: GeneratedLedger) -> float:
        """Seconds to bring the index up to date with a ledger."""
        began = time.perf_counter()
        add(
            ledger,
            self.repository(),
            verify=lambda _, signed: signed.change,
            progress=Reporter(SystemClock(), Silent()),
        )
        return time.perf_counter() - began


@functools.cache
def made_index(folder: Path) -> MadeIndex:
    """The index of the benches, built once."""
    say(f"building an index of {RECIPES:,} recipes x {VERSIONS} releases")
    made = MadeIndex(folder / "index-bench", 0.0, GeneratedLedger(RECIPES, VERSIONS))
    made.repository().create(NewIndex())
    name_index(made.repository(), name="bench", images=())
    made.ledger.names()  # making up names is not what is measured
    made.seconds = made.add(made.ledger)
    return made


@dataclass
class Counted:
    """What a host was asked, and what it sent: bodies and headers."""

    url: str
    requests: list[str] = field(default_factory=list)
    sent: int = 0

    def reset(self) -> None:
        """Count anew."""
        self.requests.clear()
        self.sent = 0


class _Handler(SimpleHTTPRequestHandler):
    """Files with ETags, nothing compressed, every byte counted."""

    protocol_version = "HTTP/1.1"
    counted: Counted

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is inherited
        """Says nothing."""

    def do_GET(self) -> None:
        """A file, or 304 where the reader has it."""
        self.counted.requests.append(self.path)
        path = Path(self.translate_path(self.path))
        content = path.read_bytes() if path.is_file() else None
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"' if content is not None else ""
        if content is None:
            self._answer(404, b"not here", {})
        elif self.headers.get("If-None-Match") == tag:
            self._answer(304, b"", {"ETag": tag})
        else:
            self._answer(200, content, {"ETag": tag})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        head = b"".join(self._headers_buffer)  # type: ignore[attr-defined]  # theirs, not typed
        self.counted.sent += len(head) + len(body)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def served(folder: Path) -> Iterator[Counted]:
    """A folder on a static host, for the time of the block."""
    counted = Counted("")
    handler = type("Handler", (_Handler,), {"counted": counted})
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
    server.daemon_threads = True
    counted.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield counted
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
