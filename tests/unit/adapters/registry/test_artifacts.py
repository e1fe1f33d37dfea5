"""Manifests and small blobs one by one, from registries that say odd things."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from openhands_recipes.adapters.registry.artifacts import OciArtifacts
from openhands_recipes.adapters.registry.client import Limits
from openhands_recipes.adapters.registry.retry import Patience
from openhands_recipes.errors import RegistryError, VerificationError
from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.image import INDEX_TYPE, MANIFEST_TYPE
from openhands_recipes.model.reference import RegistryAddress
from openhands_recipes.ports.artifacts import StoredManifest

SUBJECT = digest_of(b"subject")


@dataclass
class Odd:
    """A registry that answers as a test says: path below the repository -> status, headers, body."""

    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    host: str = ""

    def door(self) -> OciArtifacts:
        limits = Limits(patience=Patience(attempts=2, first=0.0, longest=0.0))
        address = RegistryAddress(self.host, "team")
        return OciArtifacts(address, plain_http=True, credentials=lambda *_: None, limits=limits)


@pytest.fixture
def odd() -> Iterator[Odd]:
    registry = Odd()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.partition("/team/x/")[2]
            status, headers, body = registry.answers.get(path, (404, {}, b""))
            self.send_response_only(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_HEAD = answer  # noqa: N815 - as http.server wants it

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registry.host = f"127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield registry
    server.shutdown()
    server.server_close()


def page(*digests: str) -> bytes:
    return json.dumps({"manifests": [{"digest": digest} for digest in digests]}).encode()


def test_a_manifest_comes_with_its_type(odd: Odd) -> None:
    odd.answers["manifests/1.0.0"] = (200, {"Content-Type": f"{INDEX_TYPE}; charset=utf-8"}, b"{}")
    with odd.door() as door:
        assert door.manifest("team/x", "1.0.0") == StoredManifest(b"{}", INDEX_TYPE)
        assert door.manifest("team/x", "2.0.0") is None


def test_other_bytes_than_the_digest_promises_are_refused(odd: Odd) -> None:
    odd.answers[f"manifests/{SUBJECT}"] = odd.answers[f"blobs/{SUBJECT}"] = (200, {}, b"other")
    with odd.door() as door:
        with pytest.raises(VerificationError, match="serves"):
            door.manifest("team/x", SUBJECT)
        with pytest.raises(VerificationError, match="serves"):
            door.blob("team/x", SUBJECT)
        assert door.blob("team/x", digest_of(b"absent")) is None


def test_whether_a_subject_was_noted_is_told_by_a_header(odd: Odd) -> None:
    manifest = StoredManifest(b"{}", MANIFEST_TYPE)
    odd.answers["manifests/tag"] = (201, {"OCI-Subject": SUBJECT}, b"")
    odd.answers[f"manifests/{manifest.digest}"] = (201, {}, b"")
    with odd.door() as door:
        assert door.put_manifest("team/x", manifest, tag="tag")
        assert not door.put_manifest("team/x", manifest)


def test_a_manifest_that_is_refused_or_stored_as_another_is_an_error(odd: Odd) -> None:
    manifest = StoredManifest(b"{}", MANIFEST_TYPE)
    odd.answers["manifests/refused"] = (403, {}, b"")
    odd.answers["manifests/other"] = (201, {"Docker-Content-Digest": SUBJECT}, b"")
    with odd.door() as door:
        with pytest.raises(RegistryError):
            door.put_manifest("team/x", manifest, tag="refused")
        with pytest.raises(VerificationError):
            door.put_manifest("team/x", manifest, tag="other")


def test_a_list_of_referrers_is_read_to_its_last_page(odd: Odd) -> None:
    first = f"referrers/{SUBJECT}"
    odd.answers[first] = (200, {"Link": f'</v2/team/x/{first}?n=2>; rel="next"'}, page("a", "b"))
    odd.answers[f"{first}?n=2"] = (200, {}, page("c"))
    with odd.door() as door:
        assert [one["digest"] for one in door.referrers("team/x", SUBJECT) or ()] == ["a", "b", "c"]


def test_a_registry_without_such_lists_is_no_error(odd: Odd) -> None:
    for status in (404, 405, 501):
        odd.answers[f"referrers/{SUBJECT}"] = (status, {}, b"")
        with odd.door() as door:
            assert door.referrers("team/x", SUBJECT) is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, {"Link": '</v2/team/x/referrers/%s>; rel="next"'}, page()), "does not end"),
        ((200, {"Link": '<http://elsewhere.example.com/>; rel="next"'}, page()), "at another registry"),
        ((200, {}, b"<html>"), "no image index"),
        ((403, {}, b""), "does not let"),
    ],
    ids=["circle", "elsewhere", "html", "refused"],
)
def test_a_list_of_referrers_that_is_none_is_an_error(
    odd: Odd, answer: tuple[int, dict[str, str], bytes], said: str
) -> None:
    status, headers, body = answer
    told = {name: value.replace("%s", SUBJECT) for name, value in headers.items()}
    odd.answers[f"referrers/{SUBJECT}"] = (status, told, body)
    with odd.door() as door, pytest.raises(RegistryError, match=said):
        door.referrers("team/x", SUBJECT)
