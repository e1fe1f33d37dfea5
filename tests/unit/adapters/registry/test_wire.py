from __future__ import annotations

import socket
import ssl
from pathlib import Path

import httpcore
import pytest

from openhands_recipes.adapters.registry import wire as module
from openhands_recipes.adapters.registry.retry import BrokenOffError, UnreachableError
from openhands_recipes.adapters.registry.wire import Request, Wire
from openhands_recipes.errors import RegistryError

HTTPS = "https://registry.example.com/v2/"


class Broken:
    """A pool whose connections fail."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def stream(self, *_: object, **__: object) -> None:
        raise self.error

    def close(self) -> None:
        pass


def failing(error: Exception, cause: Exception | None = None, url: str = HTTPS) -> RegistryError:
    error.__cause__ = cause
    wire = Wire(connections=1, pool=Broken(error))  # type: ignore[arg-type]  # it never opens a stream
    with pytest.raises(RegistryError) as caught:
        wire.send(Request("GET", url))
    return caught.value


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (OSError("?"), "the connection to registry.example.com broke off (ConnectError)"),
        (ConnectionRefusedError(), "nothing listens at registry.example.com"),
        (socket.gaierror(-2), "the name registry.example.com cannot be resolved"),
        (TimeoutError(), "registry.example.com did not answer in time"),
    ],
)
def test_a_connection_that_cannot_be_made_says_why(cause: Exception, message: str) -> None:
    fault = failing(httpcore.ConnectError("x"), cause)
    assert isinstance(fault, UnreachableError)
    assert fault.message == message
    assert fault.where == HTTPS


@pytest.mark.parametrize(
    "error",
    [
        httpcore.ReadError("x"),
        httpcore.WriteTimeout("x"),
        httpcore.RemoteProtocolError("x"),
        httpcore.PoolTimeout("x"),
    ],
)
def test_a_broken_exchange_may_be_tried_again(error: Exception) -> None:
    assert isinstance(failing(error), BrokenOffError)


@pytest.mark.parametrize(
    "error",
    [
        httpcore.UnsupportedProtocol("x"),
        httpcore.LocalProtocolError("x"),
        UnicodeEncodeError("a", "ü", 0, 1, "x"),
    ],
)
def test_an_address_nobody_can_use_is_an_error(error: Exception) -> None:
    fault = failing(error)
    assert fault.message == "the registry names an address that cannot be used"
    assert not isinstance(fault, BrokenOffError)


def test_an_address_with_a_wrong_port_is_an_error() -> None:
    with pytest.raises(RegistryError, match="cannot be used"):
        Wire(connections=1).send(Request("GET", "https://registry.example.com:port/"))


def test_a_proxy_that_refuses_is_named() -> None:
    fault = failing(httpcore.ProxyError("407 Proxy Authentication Required"))
    assert fault.message == "the proxy refused: 407 Proxy Authentication Required"
    assert fault.hint == "look at HTTPS_PROXY, HTTP_PROXY and NO_PROXY"


def test_a_broken_handshake_hints_at_plain_http() -> None:
    fault = failing(httpcore.ConnectError("x"), ssl.SSLError(1, "[SSL] record layer failure"))
    assert "does not speak TLS" in fault.message
    assert fault.hint == "add --plain-http if this registry serves HTTP"


def test_queries_and_users_are_not_shown() -> None:
    fault = failing(httpcore.ReadError("x"), url="https://me:s3cret@registry.example.com/v2/?_state=s3cret")
    assert "s3cret" not in str(fault)


@pytest.fixture
def proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, ""),
        ({"HTTPS_PROXY": "http://proxy.example.com:3128"}, "http://proxy.example.com:3128"),
        ({"https_proxy": "proxy.example.com:3128"}, "http://proxy.example.com:3128"),
        ({"ALL_PROXY": "http://all.example.com"}, "http://all.example.com"),
        ({"HTTP_PROXY": "http://proxy.example.com"}, ""),
        ({"HTTPS_PROXY": "http://proxy.example.com", "NO_PROXY": ".example.com"}, ""),
    ],
    ids=str,
)
def test_the_environment_names_the_proxy(
    proxies: pytest.MonkeyPatch, environment: dict[str, str], proxy: str
) -> None:
    for name, value in environment.items():
        proxies.setenv(name, value)
    assert module._proxy_for(HTTPS) == proxy
    assert not module._proxy_for("https://127.0.0.1:5000/v2/"), "this machine needs no proxy"


def test_a_proxy_gets_its_login_apart_from_its_address(proxies: pytest.MonkeyPatch) -> None:
    proxies.setenv("HTTPS_PROXY", "http://me:p%40ss@proxy.example.com:3128")
    wire = Wire(connections=1)
    pool = wire._pool(HTTPS)
    assert isinstance(pool, httpcore.HTTPProxy)
    assert pool._proxy_url.host == b"proxy.example.com"
    assert any(b"Basic" in value for _, value in pool._proxy_headers)
    wire.close()


def test_certificates_are_loaded_for_the_first_https_address_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    wire = Wire(connections=1)
    wire._pool("http://127.0.0.1:5000/")
    assert not wire._trust_loaded
    wire._pool(HTTPS)
    assert wire._trust_loaded
    wire.close()
