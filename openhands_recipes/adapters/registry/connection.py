"""A conversation with one registry: authenticated, redirected where that is safe, repeated where it helps.

Credentials go to the registry's own origin (scheme, host, port) and to the token server it names, nowhere
else. Requests that carry blob bytes are not repeated here: only an upload knows from where to go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

from openhands_recipes.adapters.registry.auth import Authenticator
from openhands_recipes.adapters.registry.credentials import Credentials
from openhands_recipes.adapters.registry.faults import Answer, Caller, refusal
from openhands_recipes.adapters.registry.retry import AGAIN, BrokenOffError, Patience, persist
from openhands_recipes.adapters.registry.wire import Request, Wire
from openhands_recipes.errors import RecipesError, RegistryError
from openhands_recipes.model.reference import RegistryAddress

REDIRECTS = 5
OBJECTIONS = 2
"""A 401 teaches us how to ask; a second one may be an old token; a third is a refusal."""


class StoppedError(RegistryError):
    """Another part of the same push failed; nobody is shown this one."""


class Connection:
    """One registry, many requests, from several threads."""

    def __init__(
        self,
        host: str,
        *,
        plain_http: bool,
        credentials: Callable[[], Credentials | None],
        patience: Patience,
        wire: Wire,
    ) -> None:
        self.host = host
        self.base = f"{'http' if plain_http else 'https'}://{RegistryAddress(host).api_host}"
        self.patience = patience
        self._wire = wire
        self._stopped = threading.Event()
        self._auth = Authenticator(self.base, find=credentials, fetch=self._fetch)

    @property
    def requests(self) -> int:
        """How many HTTP requests were sent, those for tokens and those that failed included."""
        return self._wire.requests

    def call(self, request: Request) -> Answer:
        """The answer to a request, after redirects, logins and retries; refusals are answers too."""
        return persist(lambda: self.call_once(request), patience=self.patience, pause=self.pause)

    def call_once(self, request: Request) -> Answer:
        """Like `call`, but an interruption is the caller's to deal with.

        Raises:
            BrokenOffError: the connection broke, or the registry asks to try again.
        """
        for _ in range(REDIRECTS):
            answer = self._authenticated(request)
            target = _redirect(answer)
            if target is None:
                return answer
            request = self._redirected(request, answer, target)
        raise RegistryError("the registry redirects without end", where=answer.where)

    def refusal(self, answer: Answer, repository: str) -> RecipesError:
        """The error for an answer nobody wanted."""
        return refusal(answer, self.caller(repository))

    def caller(self, repository: str) -> Caller:
        """Who we are to this registry."""
        return self._auth.caller(repository)

    def location(self, answer: Answer) -> str:
        """The absolute URL of a `Location` header, which may be relative and may have a query.

        A registry behind a proxy that ends TLS often names itself with `http`; we stay with `https`.

        Raises:
            RegistryError: there is none.
        """
        if not answer.headers.get("location"):
            raise RegistryError("the registry sent no Location", where=answer.where)
        url = urljoin(answer.url, answer.headers["location"])
        parts = urlsplit(url)
        if parts.scheme == "http" and f"https://{parts.netloc}" == self.base:
            return parts._replace(scheme="https").geturl()
        return url

    def pause(self, seconds: float) -> None:
        """Wait, unless the whole push is being given up."""
        if self._stopped.wait(seconds):
            raise StoppedError("stopped")

    def stop(self) -> None:
        """Wake all waiting threads and let them end."""
        self._stopped.set()

    def resume(self) -> None:
        """Be ready for another push."""
        self._stopped.clear()

    def check_going(self) -> None:
        """Raise `StoppedError` once the push is being given up."""
        self.pause(0)

    def close(self) -> None:
        """Close all connections."""
        self._wire.close()

    def _fetch(self, request: Request, authorization: str | None) -> Answer:
        def once() -> Answer:
            answer = self._wire.send(request, authorization=authorization)
            self._raise_passing(answer)
            return answer

        return persist(once, patience=self.patience, pause=self.pause)

    def _authenticated(self, request: Request) -> Answer:
        ours = _origin(request.url) == _origin(self.base)
        for _ in range(OBJECTIONS + 1):
            self.check_going()
            sent = self._auth.authorization(request.scopes) if ours else None
            answer = self._wire.send(request, authorization=sent)
            if answer.status != 401 or not ours:
                break
            if not self._auth.objected(answer, request.scopes, sent=sent):
                break
        self._raise_passing(answer)
        return answer

    def _raise_passing(self, answer: Answer) -> None:
        if answer.status in AGAIN:
            fault = refusal(answer, self.caller(""))
            if isinstance(fault, BrokenOffError):
                raise fault

    def _redirected(self, request: Request, answer: Answer, target: str) -> Request:
        if self.base.startswith("http://") and _origin(target) == _origin("https://" + self.host):
            raise RegistryError(
                f"{self.host} serves HTTPS, but --plain-http was given",
                where=answer.where,
                hint="leave out --plain-http",
            )
        if urlsplit(request.url).scheme == "https" and urlsplit(target).scheme != "https":
            raise RegistryError("the registry redirects to an address without TLS", where=answer.where)
        return Request(request.method, target, request.headers, request.body, request.scopes, request.sink)


def _redirect(answer: Answer) -> str | None:
    """Where an answer sends us; only what may be repeated unchanged is followed (RFC 9110, 15.4)."""
    safe = answer.method in ("GET", "HEAD") and answer.status in (301, 302, 303)
    if (safe or answer.status in (307, 308)) and answer.headers.get("location"):
        return urljoin(answer.url, answer.headers["location"])
    return None


def _origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port; an address without a usable port is nobody's origin."""
    parts = urlsplit(url)
    try:
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        port = -1
    return parts.scheme, (parts.hostname or "").lower(), port
