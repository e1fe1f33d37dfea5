"""An npm registry on loopback, with tiny packages."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote

from tests.local_index import listening


def tarball(manifest: dict[str, Any], files: dict[str, str]) -> bytes:
    """A package as npm packs it."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for path, text in {"package.json": json.dumps(manifest), **files}.items():
            member = tarfile.TarInfo(f"package/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(sink.getvalue(), mtime=0)


@dataclass
class LocalNpm:
    """What is served, and how badly."""

    packages: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    status: int = 200
    spoiled: set[str] = field(default_factory=set)
    """Paths of tarballs that come with other bytes than promised."""
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def add(
        self, name: str, version: str, *, files: dict[str, str] | None = None, **manifest: Any
    ) -> LocalNpm:
        """Publish a version."""
        whole = {"name": name, "version": version, **manifest}
        content = tarball(whole, files or {"index.js": ""})
        path = f"/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
        self.files[path] = content
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
        dist = {"tarball": path, "integrity": integrity, "shasum": hashlib.sha1(content).hexdigest()}  # noqa: S324
        self.packages.setdefault(name, {})[version] = {**whole, "dist": dist}
        return self

    def answer(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        self.asked.append(path)
        if self.status != 200:
            return self.status, b"{}"
        if path in self.files:
            return 200, b"spoiled" if path in self.spoiled else self.files[path]
        name = unquote(path.lstrip("/"))
        if name not in self.packages:
            return 404, b'{"error": "not found"}'
        versions = {
            version: {**entry, "dist": {**entry["dist"], "tarball": self.url + entry["dist"]["tarball"]}}
            for version, entry in self.packages[name].items()
        }
        latest = list(versions)[-1]
        return 200, json.dumps({"name": name, "dist-tags": {"latest": latest}, "versions": versions}).encode()


@contextlib.contextmanager
def serving_npm(registry: LocalNpm) -> Iterator[LocalNpm]:
    """Serve it on loopback; `registry.url` is its root meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, content = registry.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with listening(Handler) as registry.url:
        yield registry
