from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from openhands_recipes.adapters import http as module
from openhands_recipes.adapters.http import Absent, Http, HttpFault, PassingFault, Patience, Refused, shown
from tests.web import Reply, Web, serving


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as served:
        yield served


@pytest.fixture
def http(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Http]:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    door = Http(patience=Patience(attempts=2, first=0.01))
    yield door
    door.close()


def fault(http: Http, url: str) -> HttpFault:
    with pytest.raises(HttpFault) as caught:
        http.get(url)
    return caught.value


def test_a_document_comes_with_its_final_url_and_media_type(http: Http, web: Web) -> None:
    web.always("/old", b"", Reply(301, {"Location": "/new"}))
    web.always("/new", b"text", Reply(headers={"Content-Type": "Text/Plain; charset=utf-8"}))
    document = http.get(f"{web.url}/old")
    assert (document.content, document.url, document.media_type) == (b"text", f"{web.url}/new", "text/plain")


def test_faults_say_whether_asking_again_may_help(http: Http, web: Web) -> None:
    web.always("/busy", b"", Reply(503))
    web.always("/forbidden", b"", Reply(403))
    web.always("/round", b"", Reply(302, {"Location": "/round"}))
    web.always("/broken", b"not gzip", Reply(headers={"Content-Encoding": "gzip"}))
    assert isinstance(fault(http, f"{web.url}/none"), Absent)
    assert isinstance(fault(http, f"{web.url}/busy"), PassingFault)
    assert isinstance(fault(http, f"{web.url}/forbidden"), Refused)
    assert isinstance(fault(http, f"{web.url}/round"), Refused)
    assert isinstance(fault(http, "http://host:port/"), Refused)
    assert "broken body" in fault(http, f"{web.url}/broken").reason
    assert (web.counts["/busy"], web.counts["/forbidden"], web.counts["/broken"]) == (2, 1, 2)


def test_an_untrusted_certificate_is_not_asked_again_and_says_what_to_set(http: Http) -> None:
    asked: list[str] = []

    def untrusted(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        raise httpx.ConnectError("certificate verify failed") from ssl.SSLCertVerificationError("self-signed")

    http._client = httpx.Client(transport=httpx.MockTransport(untrusted))
    refused = fault(http, "https://mirror.example/")
    assert isinstance(refused, Refused)
    assert "set SSL_CERT_FILE" in refused.reason
    assert len(asked) == 1


def test_credentials_come_from_netrc_unless_the_url_has_its_own(http: Http, web: Web, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    web.put("/file", b"")
    http.get(f"{web.url}/file")
    http.get(f"{web.url}/file".replace("//", "//own:word@"))
    assert [headers["authorization"] for _, headers in web.requests] == [
        "Basic bWU6c2VjcmV0",
        "Basic b3duOndvcmQ=",
    ]


def test_a_netrc_that_cannot_be_read_is_no_netrc(http: Http, web: Web, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("nonsense\n")
    web.put("/file", b"")
    http.get(f"{web.url}/file")
    assert "authorization" not in web.requests[0][1]


def test_a_host_may_have_a_proxy_of_its_own(web: Web) -> None:
    web.put("http://mirror.invalid/file", b"through the proxy")
    door = Http(proxies=lambda: {"http://mirror.invalid": web.url})
    assert door.get("http://mirror.invalid/file").content == b"through the proxy"
    door.close()


def test_certificates_come_from_the_environment_the_system_or_the_library(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    taken: list[dict[str, object]] = []

    def remember(**where: object) -> str:
        taken.append(where)
        return "context"

    for name in module.CERTIFICATE_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ssl, "create_default_context", remember)
    monkeypatch.setattr(httpx, "create_ssl_context", lambda: "bundled")
    paths = SimpleNamespace(cafile=None, capath=str(tmp_path))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    found: list[object] = [module._certificates()]
    (tmp_path / "ca.pem").write_text("")
    found.append(module._certificates())
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "ca.pem"))
    found.append(module._certificates())
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    found.append(module._certificates())
    assert found == ["bundled", "context", "context", "context"]
    assert taken == [{}, {"cafile": str(tmp_path / "ca.pem")}, {"capath": str(tmp_path)}]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://me:secret@host:80/path@x", "http://host:80/path@x"),
        ("http://host", "http://host"),
        ("no url", "no url"),
    ],
)
def test_urls_are_shown_without_credentials(url: str, expected: str) -> None:
    assert shown(url) == expected
