"""One HTTP exchange at a time: sends, counts, and says in our words what broke.

Knows nothing of authentication, retries or registries. Nothing of httpx leaves this file.
"""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import httpx

from openhands_recipes import __version__
from openhands_recipes.adapters.registry.faults import Answer, broken, public_url
from openhands_recipes.errors import RegistryError

log = logging.getLogger(__name__)

BODY_LIMIT = 4 * 1024 * 1024
"""No answer we read is larger (distribution-spec: manifests of up to 4 MiB must be accepted)."""
TIMEOUT = httpx.Timeout(connect=10, read=300, write=60, pool=None)
"""Reading is slow where a registry hashes or copies a large blob before it answers."""


@dataclass(frozen=True)
class Body:
    """Bytes to send; opened anew for every try, so that a try can be repeated."""

    size: int
    pieces: Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class Request:
    """One request; `scopes` are what a token must allow for it."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    scopes: frozenset[str] = frozenset()


def body_of(content: bytes) -> Body:
    """Bytes in memory as a body."""
    return Body(size=len(content), pieces=lambda: (content,))


class Wire:
    """Pooled connections to whatever hosts a registry sends us to; safe for use by several threads."""

    def __init__(self, *, connections: int, transport: httpx.BaseTransport | None = None) -> None:
        self.requests = 0
        self._contacted: set[str] = set()
        self._lock = threading.Lock()
        # Reading the machine's CA bundle takes longer than an unchanged push; it waits for the first https.
        self._trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._trust_loaded = False
        self._client = httpx.Client(
            verify=self._trust,
            transport=transport,
            timeout=TIMEOUT,
            limits=httpx.Limits(max_connections=connections),
            headers={"User-Agent": f"openhands-recipes/{__version__}", "Accept-Encoding": "identity"},
        )

    def send(self, request: Request, *, authorization: str | None = None) -> Answer:
        """The answer to one request, whatever its status; redirects are answers too.

        Raises:
            BrokenOffError: the connection could not be made or broke off.
            RegistryError: the address or its certificate is wrong: trying again would not help.
        """
        self._load_trust(request.url)
        headers = dict(request.headers)
        if authorization:
            headers["Authorization"] = authorization
        content: Iterable[bytes] | None = None
        if request.body is not None:
            headers["Content-Length"] = str(request.body.size)
            content = request.body.pieces()
        with self._lock:
            self.requests += 1
        try:
            built = self._client.build_request(request.method, request.url, headers=headers, content=content)
            return self._exchange(built, request)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise RegistryError(
                "the registry names an address that cannot be used", where=public_url(request.url)
            ) from error
        except httpx.TransportError as error:
            host = httpx.URL(request.url).netloc.decode()
            raise broken(error, request.url, contacted=host in self._contacted) from error

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _exchange(self, built: httpx.Request, request: Request) -> Answer:
        response = self._client.send(built, stream=True)
        try:
            self._contacted.add(built.url.netloc.decode())
            body = bytearray()
            for piece in response.iter_raw():
                body += piece
                if len(body) > BODY_LIMIT:
                    raise RegistryError("the registry's answer is too long", where=public_url(request.url))
        finally:
            response.close()
        log.debug("%s %s -> %d", request.method, public_url(request.url), response.status_code)
        return Answer(
            method=request.method,
            url=request.url,
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=bytes(body),
        )

    def _load_trust(self, url: str) -> None:
        if not url.startswith("https://"):
            return
        with self._lock:
            if not self._trust_loaded:
                self._trust.load_default_certs()
                self._trust_loaded = True
