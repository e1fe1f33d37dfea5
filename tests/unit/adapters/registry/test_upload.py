"""Uploads against a registry that follows the specification to the letter, in memory."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpcore
import httpx
import pytest

from openhands_recipes.adapters.registry.connection import Connection
from openhands_recipes.adapters.registry.faults import Answer
from openhands_recipes.adapters.registry.repository import Habits, Target, has_blob
from openhands_recipes.adapters.registry.retry import Patience
from openhands_recipes.adapters.registry.source import PIECE, BlobSource
from openhands_recipes.adapters.registry.upload import Upload, stored_bytes
from openhands_recipes.adapters.registry.wire import Wire
from openhands_recipes.errors import OutsideError, RegistryError, VerificationError
from openhands_recipes.model.digest import Digest, digest_of

CONTENT = bytes(range(256)) * (20 * PIECE // 256)  # 20 pieces
DIGEST = digest_of(CONTENT)
CHUNK = 8 * PIECE


class Pool:
    """Hands requests over to a handler with their bodies unread, in place of connections."""

    def __init__(self, handler: Callable[[httpx.Request], httpx.Response]) -> None:
        self.handler = handler

    @contextmanager
    def stream(
        self, method: str, url: str, *, headers: list[tuple[str, str]], content: Any, extensions: Any
    ) -> Iterator[httpcore.Response]:
        assert extensions["timeout"]
        made = self.handler(httpx.Request(method, url, headers=headers, content=content))
        yield httpcore.Response(made.status_code, headers=made.headers.raw, content=made.content)

    def close(self) -> None:
        pass


@dataclass
class Registry:
    """One repository: sessions, blobs, and a point at which the connection breaks."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    sessions: dict[str, bytearray] = field(default_factory=dict)
    cut_at: list[int] = field(default_factory=list)
    """Offsets of the blob at which a connection breaks, once each."""
    received: int = 0
    keeps_cut_chunks: bool = True
    log: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.log.append(request.method)
        session = request.url.path.rpartition("/")[2]
        action = getattr(self, f"_{request.method.lower()}")
        answer = action(request, session)
        assert isinstance(answer, httpx.Response)
        return answer

    def _head(self, _: httpx.Request, digest: str) -> httpx.Response:
        blob = self.blobs.get(digest)
        return httpx.Response(404 if blob is None else 200, headers={"Content-Length": str(len(blob or b""))})

    def _post(self, _: httpx.Request, __: str) -> httpx.Response:
        name = f"session{len(self.sessions)}"
        self.sessions[name] = bytearray()
        return self._status(202, name)

    def _get(self, _: httpx.Request, session: str) -> httpx.Response:
        return self._status(204, session) if session in self.sessions else httpx.Response(404)

    def _delete(self, _: httpx.Request, session: str) -> httpx.Response:
        self.sessions.pop(session, None)
        return httpx.Response(204)

    def _put(self, request: httpx.Request, session: str) -> httpx.Response:
        self._receive(request, session)
        content = bytes(self.sessions.pop(session))
        digest = request.url.params["digest"]
        if digest_of(content) != digest:
            return httpx.Response(400, json={"errors": [{"code": "DIGEST_INVALID", "message": "no"}]})
        self.blobs[digest] = content
        return httpx.Response(201, headers={"Docker-Content-Digest": digest})

    def _patch(self, request: httpx.Request, session: str) -> httpx.Response:
        if session not in self.sessions:
            return httpx.Response(404)
        start = int(request.headers["Content-Range"].partition("-")[0])
        if start != len(self.sessions[session]):
            return self._status(416, session)
        self._receive(request, session)
        return self._status(202, session)

    def _receive(self, request: httpx.Request, session: str) -> None:
        held = self.sessions[session]
        for piece in request.stream:  # type: ignore[union-attr]  # a synchronous request's stream
            taken = piece
            if self.cut_at and len(held) + len(piece) > self.cut_at[0]:
                taken = piece[: self.cut_at.pop(0) - len(held)]
            held += taken
            self.received += len(taken)
            if len(taken) < len(piece):
                if not self.keeps_cut_chunks:
                    del self.sessions[session]
                raise httpcore.WriteError("broken pipe")

    def _status(self, status: int, session: str) -> httpx.Response:
        last = max(0, len(self.sessions[session]) - 1)
        where = f"/v2/team/x/blobs/uploads/{session}?state={last}"
        return httpx.Response(status, headers={"Location": where, "Range": f"0-{last}"})


def target(handler: Callable[[httpx.Request], httpx.Response], **habits: int) -> Target:
    connection = Connection(
        "registry.example.com",
        plain_http=False,
        credentials=lambda: None,
        patience=Patience(first=0.001, longest=0.001),
        wire=Wire(connections=1, pool=Pool(handler)),
    )
    return Target(connection, "team/x", Habits(**({"chunk": CHUNK, "small": PIECE} | habits)))


def source(content: bytes = CONTENT, digest: Digest = DIGEST, size: int | None = None) -> BlobSource:
    return BlobSource(digest, len(content) if size is None else size, lambda: io.BytesIO(content))


def test_an_upload_that_is_cut_goes_on_where_the_registry_stopped() -> None:
    registry = Registry(cut_at=[PIECE // 2, 9 * PIECE + 5, 15 * PIECE + 7])
    sent: list[int] = []
    blob = BlobSource(DIGEST, len(CONTENT), lambda: io.BytesIO(CONTENT), on_sent=sent.append)
    Upload(target(registry), blob).send()
    assert registry.blobs == {DIGEST: CONTENT}
    assert registry.received == len(CONTENT), "not one byte twice"
    assert sum(sent) == len(CONTENT)
    assert registry.log.count("POST") == 1
    assert registry.log.count("GET") == 3


def test_an_upload_that_is_forgotten_starts_anew() -> None:
    registry = Registry(cut_at=[9 * PIECE + 5], keeps_cut_chunks=False)
    Upload(target(registry), source()).send()
    assert registry.blobs == {DIGEST: CONTENT}
    assert registry.log.count("POST") == 2


def test_a_connection_that_always_breaks_at_the_same_place_is_given_up() -> None:
    registry = Registry(cut_at=[9 * PIECE + 5] * 50, keeps_cut_chunks=False)
    with pytest.raises(RegistryError, match=r"\(6 tries\)"):
        Upload(target(registry), source()).send()
    assert registry.blobs == {}


def test_a_small_blob_that_is_cut_is_sent_again_whole() -> None:
    registry = Registry(cut_at=[10, 20])
    small = b"x" * 100
    Upload(target(registry), source(small, digest_of(small))).send()
    assert registry.blobs == {digest_of(small): small}
    assert registry.received == 130


def test_an_empty_blob_is_a_blob() -> None:
    registry = Registry()
    Upload(target(registry), source(b"", digest_of(b""))).send()
    assert registry.blobs == {digest_of(b""): b""}


def test_a_registry_that_got_other_bytes_is_not_asked_again() -> None:
    registry = Registry()

    def corrupting(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            registry.sessions["session0"][0] ^= 1
        return registry(request)

    with pytest.raises(
        VerificationError, match="the registry received other bytes than were sent: no"
    ) as caught:
        Upload(target(corrupting), source()).send()
    assert caught.value.exit_code == 4
    assert registry.log.count("PUT") == 1
    assert registry.log[-1] == "DELETE"


@pytest.mark.parametrize(
    ("content", "size", "how"),
    [
        (CONTENT[:-1] + b"!", None, "its bytes have another digest"),
        (CONTENT[:-1], len(CONTENT), "it ends early"),
    ],
    ids=["other bytes", "shorter"],
)
@pytest.mark.parametrize("small", [PIECE, 2 * len(CONTENT)], ids=["chunks", "whole"])
def test_bytes_that_are_not_what_they_should_be_never_leave_whole(
    content: bytes, size: int | None, how: str, small: int
) -> None:
    registry = Registry()
    with pytest.raises(VerificationError, match=how):
        Upload(target(registry, small=small), source(content, size=size)).send()
    assert registry.received < len(CONTENT)
    assert registry.blobs == {}


def test_a_blob_that_cannot_be_read_is_an_error_with_its_file() -> None:
    def gone() -> io.BytesIO:
        raise FileNotFoundError(2, "No such file or directory", "/cache/blob")

    with pytest.raises(OutsideError, match="cannot be read: No such file or directory") as caught:
        Upload(target(Registry()), BlobSource(DIGEST, len(CONTENT), gone)).send()
    assert caught.value.where == "/cache/blob"


def test_a_location_that_forgot_about_tls_stays_with_tls() -> None:
    registry = Registry()
    urls: list[httpx.URL] = []

    def behind_a_proxy(request: httpx.Request) -> httpx.Response:
        urls.append(request.url)
        answer = registry(request)
        if "Location" in answer.headers:
            answer.headers["Location"] = "http://registry.example.com" + answer.headers["Location"]
        return answer

    Upload(target(behind_a_proxy), source()).send()
    assert {url.scheme for url in urls} == {"https"}
    assert registry.blobs == {DIGEST: CONTENT}


def test_an_upload_without_a_location_is_an_error() -> None:
    with pytest.raises(RegistryError, match="the registry sent no Location"):
        Upload(target(lambda _: httpx.Response(202)), source()).send()


@pytest.mark.parametrize(
    ("header", "stored"),
    [("0-99", 100), ("bytes=0-99", 100), ("0-0", 1), ("", 7), ("5-9", 7), ("nonsense", 7)],
)
def test_ranges_are_read_as_registries_write_them(header: str, stored: int) -> None:
    assert stored_bytes(Answer("GET", "https://x", 204, {"range": header}), default=7) == stored


def test_a_redirected_head_is_followed_without_credentials() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.host == "registry.example.com":
            return httpx.Response(307, headers={"Location": "https://storage.example.com/blob?signature=x"})
        return httpx.Response(200, headers={"Content-Length": str(len(CONTENT))})

    assert has_blob(target(handler), DIGEST, len(CONTENT))
    assert [request.url.host for request in seen] == ["registry.example.com", "storage.example.com"]
    assert "authorization" not in seen[1].headers


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("http://storage.example.com/blob", "redirects to an address without TLS"),
        ("https://registry.example.com/loop", "redirects without end"),
        ("gopher://example.com/", "redirects to an address without TLS"),
    ],
)
def test_redirects_that_lead_nowhere_good_are_errors(location: str, message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        has_blob(target(lambda _: httpx.Response(307, headers={"Location": location})), DIGEST, 1)


def test_a_very_long_answer_is_not_read_to_its_end() -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        return httpx.Response(400, content=b"x" * (5 * 1024 * 1024))

    with pytest.raises(RegistryError, match="answer is too long"):
        has_blob(target(handler), DIGEST, 1)


def test_what_a_registry_says_is_made_fit_for_a_terminal() -> None:
    body = {"errors": [{"code": "weird\x1b[31m", "message": "line one\nline two\x1b[0m" + "x" * 500}]}

    with pytest.raises(RegistryError) as caught:
        has_blob(target(lambda _: httpx.Response(418, json=body)), DIGEST, 1)
    assert re.fullmatch(
        r"registry.example.com refused with 418 WEIRDM: line one line two \[0mx+", caught.value.message
    )
    assert len(caught.value.message) < 300
