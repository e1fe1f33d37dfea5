"""Answers a registry's challenge: Basic, or Bearer tokens from its token server.

Follows distribution's token authentication (`docs/content/spec/auth/token.md` and `oauth.md`): tokens are
kept per set of scopes and renewed when they run out or are refused. Secrets are never logged.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from openhands_recipes.adapters.registry.credentials import Credentials
from openhands_recipes.adapters.registry.faults import Answer, Caller, refusal
from openhands_recipes.adapters.registry.wire import Request, body_of
from openhands_recipes.errors import RegistryError

CLIENT_ID = "openhands-recipes"
SHORTEST = 60
"""Seconds a token lives if its server does not say (token.md)."""
_PART = re.compile(
    r"""[\s,]*(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s,"]+)))?"""
)


@dataclass(frozen=True)
class Challenge:
    """One way in that a registry offers."""

    scheme: str
    realm: str = ""
    service: str = ""


@dataclass(frozen=True)
class _Token:
    value: str = field(repr=False)
    until: float


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """The challenges of `WWW-Authenticate` headers joined by commas (RFC 9110, 11.6.1)."""
    found: list[tuple[str, dict[str, str]]] = []
    for part in _PART.finditer(header):
        if part["quoted"] is None and part["bare"] is None:
            found.append((part["name"].lower(), {}))
        elif found:
            value = part["bare"] if part["quoted"] is None else re.sub(r"\\(.)", r"\1", part["quoted"])
            found[-1][1][part["name"].lower()] = value
    return tuple(
        Challenge(
            scheme=scheme,
            realm=values.get("realm", ""),
            service=values.get("service", ""),
        )
        for scheme, values in found
    )


class Authenticator:
    """Knows how one registry wants to be asked; anonymous until it objects. Safe for several threads.

    `fetch` sends a request to the token server, trying again where that helps; `find` looks for
    credentials and is called once, when they are first needed.
    """

    def __init__(
        self,
        base: str,
        *,
        find: Callable[[], Credentials | None],
        fetch: Callable[[Request, str | None], Answer],
    ) -> None:
        self._base = base
        self._find = find
        self._fetch = fetch
        self._lock = threading.RLock()
        self._challenge: Challenge | None = None
        self._credentials: Credentials | None = None
        self._tokens: dict[frozenset[str], _Token] = {}

    def caller(self, repository: str) -> Caller:
        """Who we have shown ourselves to be so far."""
        known = self._credentials
        return Caller(
            host=urlsplit(self._base).netloc,
            repository=repository,
            user=known.user if known else "",
            origin=known.origin if known else "",
            plain_http=self._base.startswith("http://"),
        )

    def authorization(self, scopes: frozenset[str]) -> str | None:
        """The `Authorization` header for a request now; None while nobody has asked for one.

        Raises:
            RegistryError: the token server refuses.
        """
        with self._lock:
            match self._challenge:
                case None:
                    return None
                case Challenge(scheme="basic"):
                    return _basic(self._credentials) if self._credentials else None
                case challenge:
                    return "Bearer " + self._token(challenge, scopes)

    def objected(self, answer: Answer, scopes: frozenset[str], *, sent: str | None) -> bool:
        """Learn from a 401; whether another try with a new `authorization` makes sense.

        Raises:
            RegistryError: no way in that we know; credentials that cannot be read.
        """
        challenge = self._choose(answer)
        with self._lock:
            if self._challenge is None:
                self._credentials = self._find()
            self._challenge = challenge
            if challenge.scheme == "basic":
                return sent is None and self._credentials is not None
            kept = self._tokens.get(scopes)
            if kept and sent == "Bearer " + kept.value:
                del self._tokens[scopes]
            return not (self._credentials and self._credentials.kind == "registry-token" and sent)

    def _choose(self, answer: Answer) -> Challenge:
        offered = parse_challenges(answer.headers.get("www-authenticate", ""))
        for scheme in ("bearer", "basic"):
            for challenge in offered:
                if challenge.scheme == scheme:
                    return challenge
        names = ", ".join(sorted({challenge.scheme for challenge in offered})) or "nothing"
        raise RegistryError(
            f"the registry wants a login of a kind we do not know ({names})",
            where=answer.where,
            hint="Basic and Bearer are supported",
        )

    def _token(self, challenge: Challenge, scopes: frozenset[str]) -> str:
        if self._credentials and self._credentials.kind == "registry-token":
            return self._credentials.secret
        kept = self._tokens.get(scopes)
        if kept is None or kept.until < time.monotonic():
            kept = self._tokens[scopes] = self._new_token(challenge, scopes)
        return kept.value

    def _new_token(self, challenge: Challenge, scopes: frozenset[str]) -> _Token:
        self._check_realm(challenge)
        started = time.monotonic()
        answer = self._ask(challenge, sorted(scopes))
        if answer.status != 200:
            raise refusal(answer, self.caller(_repositories(scopes)))
        try:
            content = json.loads(answer.body)
            value = content.get("token") or content["access_token"]
            lifetime = max(SHORTEST, int(content.get("expires_in") or SHORTEST))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise RegistryError("the token server answered without a token", where=answer.where) from None
        return _Token(value=str(value), until=started + lifetime * 0.9)

    def _ask(self, challenge: Challenge, scopes: list[str]) -> Answer:
        known = self._credentials
        if known is not None and known.kind == "identity-token":
            fields = {
                "grant_type": "refresh_token",
                "service": challenge.service,
                "client_id": CLIENT_ID,
                "scope": " ".join(scopes),
                "refresh_token": known.secret,
            }
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            return self._fetch(
                Request("POST", challenge.realm, headers=form, body=body_of(urlencode(fields).encode())), None
            )
        query = [("service", challenge.service)] if challenge.service else []
        query += [("scope", scope) for scope in scopes]
        joint = "&" if urlsplit(challenge.realm).query else "?"
        url = challenge.realm + (joint + urlencode(query) if query else "")
        return self._fetch(Request("GET", url), _basic(known) if known else None)

    def _check_realm(self, challenge: Challenge) -> None:
        scheme = urlsplit(challenge.realm).scheme
        if scheme not in ("http", "https"):
            raise RegistryError("the registry names no usable token server", where=self._base)
        if scheme == "http" and self._base.startswith("https://") and self._credentials:
            raise RegistryError(
                "the registry wants our credentials sent to a token server in clear text",
                where=challenge.realm.partition("?")[0],
                hint="have the registry name an https realm",
            )


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.user}:{credentials.secret}".encode()
    return "Basic " + base64.b64encode(pair).decode()


def _repositories(scopes: frozenset[str]) -> str:
    return ", ".join(sorted(scope.split(":")[1] for scope in scopes))
