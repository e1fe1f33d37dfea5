"""One HTTP exchange at a time: sends, counts, and says in our words what broke.

Speaks through httpcore, the connection pool beneath httpx: importing httpx would take longer than all the
rest of a push that finds nothing changed. Knows nothing of authentication, retries or registries, and
nothing of httpcore leaves this file.
"""

from __future__ import annotations

import logging
import os
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import httpcore

from openhands_recipes import __version__
from openhands_recipes.adapters.registry.faults import Answer, broken, public_url
from openhands_recipes.errors import RegistryError
from openhands_recipes.model.reference import is_loopback

log = logging.getLogger(__name__)

BODY_LIMIT = 4 * 1024 * 1024
"""No answer we read is larger (distribution-spec: manifests of up to 4 MiB must be accepted)."""
TIMEOUT = {"connect": 10.0, "read": 300.0, "write": 60.0, "pool": None}
"""Reading is slow where a registry hashes or copies a large blob before it answers."""
OURS = {"User-Agent": f"openhands-recipes/{__version__}", "Accept-Encoding": "identity"}


@dataclass(frozen=True)
class Body:
    """Bytes to send; opened anew for every try, so that a try can be repeated."""

    size: int
    pieces: Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class Request:
    """One request; `scopes` are what a token must allow for it."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    scopes: frozenset[str] = frozenset()
    sink: Callable[[int, bytes], None] | None = None
    """Takes the body of a good answer piece by piece, with the status; for blobs, which may be large."""


class Pool(Protocol):
    """What we use of `httpcore.ConnectionPool` and `httpcore.HTTPProxy`."""

    def stream(
        self,
        method: str,
        url: str,
        *,
        headers: list[tuple[str, str]],
        content: Iterator[bytes] | None,
        extensions: dict[str, Any],
    ) -> AbstractContextManager[httpcore.Response]:
        """One exchange, its answer's body unread."""

    def close(self) -> None:
        """Close all connections."""


def body_of(content: bytes) -> Body:
    """Bytes in memory as a body."""
    return Body(size=len(content), pieces=lambda: iter((content,)))


class Wire:
    """Pooled connections to whatever hosts a registry sends us to; safe for use by several threads."""

    def __init__(self, *, connections: int, pool: Pool | None = None) -> None:
        self.requests = 0
        self._connections = connections
        self._contacted: set[str] = set()
        self._lock = threading.Lock()
        self._pools: dict[str, Pool] = {} if pool is None else {"": pool}
        # Reading the machine's CA bundle takes longer than an unchanged push; it waits for the first https.
        self._trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._trust_loaded = False

    def send(self, request: Request, *, authorization: str | None = None) -> Answer:
        """The answer to one request, whatever its status; redirects are answers too.

        Raises:
            BrokenOffError: the connection could not be made or broke off.
            RegistryError: the address or its certificate is wrong: trying again would not help.
        """
        headers = OURS | dict(request.headers)
        if authorization:
            headers["Authorization"] = authorization
        if request.body is not None:
            headers["Content-Length"] = str(request.body.size)
        pool = self._pool(request.url)
        host = urlsplit(request.url).netloc
        try:
            answer = self._exchange(pool, request, headers)
        except (httpcore.UnsupportedProtocol, httpcore.LocalProtocolError, UnicodeError) as error:
            raise _unusable(request.url) from error
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise broken(error, request.url, contacted=host in self._contacted) from error
        except httpcore.ProxyError as error:
            where = public_url(request.url)
            hint = "look at HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
            raise RegistryError(f"the proxy refused: {error}", where=where, hint=hint) from error
        self._contacted.add(host)
        log.debug("%s %s -> %d", request.method, public_url(request.url), answer.status)
        return answer

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.close()

    def _exchange(self, pool: Pool, request: Request, headers: dict[str, str]) -> Answer:
        content = request.body.pieces() if request.body else None
        with pool.stream(
            request.method,
            request.url,
            headers=list(headers.items()),
            content=content,
            extensions={"timeout": TIMEOUT},
        ) as response:
            body = bytearray()
            for piece in response.iter_stream():
                if request.sink is not None and response.status in (200, 206):
                    request.sink(response.status, piece)
                    continue
                body += piece
                if len(body) > BODY_LIMIT:
                    raise RegistryError("the registry's answer is too long", where=public_url(request.url))
        told: dict[str, str] = {}
        for raw_name, raw_value in response.headers:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            told[name] = f"{told[name]}, {value}" if name in told else value
        return Answer(request.method, request.url, response.status, told, bytes(body))

    def _pool(self, url: str) -> Pool:
        try:
            proxy = _proxy_for(url)
        except ValueError as error:
            raise _unusable(url) from error
        with self._lock:
            self.requests += 1
            if url.startswith("https://") and not self._trust_loaded:
                self._trust.load_default_certs()
                self._trust_loaded = True
            if proxy not in self._pools:
                self._pools[proxy] = self._new_pool(proxy)
            return self._pools[proxy]

    def _new_pool(self, proxy: str) -> Pool:
        if not proxy:
            return httpcore.ConnectionPool(ssl_context=self._trust, max_connections=self._connections)
        parts = urlsplit(proxy)
        login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        return httpcore.HTTPProxy(
            parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(),
            proxy_auth=login,
            ssl_context=self._trust,
            max_connections=self._connections,
        )


def _proxy_for(url: str) -> str:
    """The proxy that the environment names for an address; empty for none. This machine needs none.

    Raises:
        ValueError: this is no address.
    """
    parts = urlsplit(url)
    _ = parts.port
    if not any(name.lower().endswith("_proxy") for name in os.environ) or is_loopback(parts.netloc):
        return ""
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - start-up time

    if proxy_bypass(parts.netloc):
        return ""
    named = getproxies()
    proxy = named.get(parts.scheme) or named.get("all") or ""
    return proxy if "://" in proxy or not proxy else f"http://{proxy}"


def _unusable(url: str) -> RegistryError:
    return RegistryError("the registry names an address that cannot be used", where=public_url(url))
