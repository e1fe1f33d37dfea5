"""A Python package index on loopback, and the wheels and sdists it serves: real formats, tiny content."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DATE = (2001, 2, 3, 4, 5, 6)


def wheel(
    name: str,
    version: str,
    *,
    requires: Sequence[str] = (),
    files: Mapping[str, str] | None = None,
    tag: str = "py3-none-any",
) -> tuple[str, bytes]:
    """A wheel's file name and bytes."""
    folder = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {text}\n" for text in requires)
    content = dict(files or {f"{name}.py": f"VERSION = {version!r}\n"})
    content[f"{folder}/METADATA"] = metadata
    content[f"{folder}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n"
    record = "".join(f"{path},{_hash(text)},{len(text)}\n" for path, text in content.items())
    content[f"{folder}/RECORD"] = f"{record}{folder}/RECORD,,\n"
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in content.items():
            archive.writestr(zipfile.ZipInfo(path, DATE), text)
    return f"{name}-{version}-{tag}.whl", sink.getvalue()


def _hash(text: str) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def sdist(name: str, version: str, files: Mapping[str, str]) -> tuple[str, bytes]:
    """An sdist's file name and bytes."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        for path, text in {"PKG-INFO": f"Name: {name}\nVersion: {version}\n", **files}.items():
            member = tarfile.TarInfo(f"{name}-{version}/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return f"{name}-{version}.tar.gz", sink.getvalue()


BACKEND = """\
import json, os, time, zipfile
from pathlib import Path

SETTINGS = json.loads(Path("settings.json").read_text())

def get_requires_for_build_wheel(config_settings=None):
    print("the backend talks on standard output")
    return SETTINGS.get("requires", [])

def build_wheel(directory, config_settings=None, metadata_directory=None):
    if SETTINGS.get("fails"):
        raise RuntimeError(SETTINGS["fails"])
    for module in SETTINGS.get("imports", []):
        __import__(module)
    name, version, tag = SETTINGS["name"], SETTINGS["version"], SETTINGS.get("tag", "py3-none-any")
    info = f"{name}-{version}.dist-info"
    file = f"{name}-{version}-{tag}.whl"
    module = "x = 1\\n" if not SETTINGS.get("random") else f"x = {time.time_ns()}\\n"
    with zipfile.ZipFile(os.path.join(directory, file), "w", zipfile.ZIP_DEFLATED) as archive:
        now = time.gmtime(1_600_000_000 + time.time_ns() % 100_000)[:6]
        for path, text in {
            f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n",
            f"{info}/WHEEL": f"Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: {tag}\\n",
            f"{name}.py": module,
            f"{info}/RECORD": "stale",
        }.items():
            archive.writestr(zipfile.ZipInfo(path, now), text)
    return file
"""
"""A build backend in one module: reads its orders from the sdist's settings.json."""


def backend_wheel() -> tuple[str, bytes]:
    """The backend's wheel, with a command."""
    points = "[console_scripts]\ntiny-tool = tinybackend:main\n"
    files = {"tinybackend.py": BACKEND, "tinybackend-1.0.dist-info/entry_points.txt": points}
    return wheel("tinybackend", "1.0", files=files)


def buildable(name: str, version: str, **settings: object) -> tuple[str, bytes]:
    """An sdist that the backend builds."""
    system = '[build-system]\nrequires = ["tinybackend"]\nbuild-backend = "tinybackend"\n'
    text = json.dumps({"name": name, "version": version, **settings})
    return sdist(name, version, {"pyproject.toml": system, "settings.json": text})


@dataclass
class LocalIndex:
    """What is served, and how badly."""

    files: dict[str, bytes] = field(default_factory=dict)
    html: bool = False
    """An index of old: no JSON, no sizes."""
    password: str = ""
    failures: int = 0
    """Answer so many requests with 503 first."""
    yanked: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def add(self, *files: tuple[str, bytes]) -> LocalIndex:
        """Publish files."""
        self.files.update(files)
        return self

    def answer(self, path: str, authorization: str) -> tuple[int, str, bytes]:
        """Status, media type and body."""
        self.asked.append(path)
        expected = "Basic " + base64.b64encode(f"me:{self.password}".encode()).decode()
        if self.password and authorization != expected:
            return 401, "text/plain", b"who are you?"
        if self.failures:
            self.failures -= 1
            return 503, "text/plain", b"later"
        if path.startswith("/files/"):
            content = self.files.get(path.removeprefix("/files/"))
            return (404, "text/plain", b"") if content is None else (200, "application/octet-stream", content)
        return self._page(path.removeprefix("/simple/").strip("/"))

    def _page(self, project: str) -> tuple[int, str, bytes]:
        names = [n for n in self.files if n.split("-")[0].replace("_", "-").lower() == project]
        if not names:
            return 404, "text/plain", b""
        hashes = {n: hashlib.sha256(self.files[n]).hexdigest() for n in names}
        if self.html:
            links = "".join(f'<a href="/files/{n}#sha256={hashes[n]}">{n}</a>' for n in names)
            return 200, "text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        listed = [
            {
                "filename": n,
                "url": f"/files/{n}",
                "hashes": {"sha256": hashes[n]},
                "size": len(self.files[n]),
                "yanked": n in self.yanked,
            }
            for n in names
        ]
        page = {"meta": {"api-version": "1.1"}, "name": project, "files": listed, "versions": []}
        return 200, "application/vnd.pypi.simple.v1+json", json.dumps(page).encode()


@contextlib.contextmanager
def serving(index: LocalIndex) -> Iterator[LocalIndex]:
    """Serve it on loopback; `index.url` is the Simple API's root meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._respond(body=True)

        def do_HEAD(self) -> None:
            self._respond(body=False)

        def _respond(self, *, body: bool) -> None:
            status, kind, content = index.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            if status == 401:
                self.send_header("WWW-Authenticate", "Basic")
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with listening(Handler) as root:
        index.url = f"{root}/simple"
        yield index


@contextlib.contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Answer on loopback meanwhile; the server's root URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
