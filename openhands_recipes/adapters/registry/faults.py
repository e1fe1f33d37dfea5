"""What a registry's refusals and broken connections mean, and what to do about them.

Error bodies follow distribution-spec 1.1, "Error Codes"; a URL is shown without its query, which may
hold an upload's secret state.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from openhands_recipes.adapters.registry.retry import (
    AGAIN,
    BrokenOffError,
    UnreachableError,
    parse_retry_after,
)
from openhands_recipes.errors import RecipesError, RegistryError, VerificationError

_LOGIN = "log in with `docker login {host}`, or set OHR_REGISTRY_USER and OHR_REGISTRY_PASSWORD"
_DENIED = ("{host} does not let {user} push to {repository}", "ask for write access, or log in again")
_NO_PUSHES = ("{host} takes no pushes for {repository}", "it may be a mirror or a pull-through cache")
_MEANINGS: Mapping[str, tuple[str, str]] = {
    "401": ("{host} wants a login for {repository}", _LOGIN),
    "401 known": ("{host} refused {user} (from {origin})", _LOGIN),
    "403": _DENIED,
    "DENIED": _DENIED,
    "NAME_UNKNOWN": ("{host} does not know the repository {repository}", "create it in the registry first"),
    "404": ("{host} has no such address", "does an OCI registry answer at this address?"),
    "405": _NO_PUSHES,
    "UNSUPPORTED": _NO_PUSHES,
    "413": (
        "{host} refuses uploads of this size",
        "something between here and the registry limits request bodies; raise its limit",
    ),
}
"""Status or error code -> what happened and what to do; "401 known" is a login that was refused."""


@dataclass(frozen=True)
class Answer:
    """A registry's answer; header names are lower case."""

    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def where(self) -> str:
        """`METHOD URL` without query."""
        return f"{self.method} {public_url(self.url)}"


@dataclass(frozen=True)
class Caller:
    """Who asked: what a refusal has to name."""

    host: str
    repository: str = ""
    user: str = ""
    origin: str = ""
    plain_http: bool = False


def public_url(url: str) -> str:
    """A URL fit for messages: no query, no user."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def refusal(answer: Answer, caller: Caller) -> RecipesError:
    """The error an answer deserves; `BrokenOffError` where another try may help."""
    code, message = _told(answer.body)
    said = f": {message}" if message else ""
    if answer.status in AGAIN or code == "TOOMANYREQUESTS":
        return _passing(answer, said)
    if code == "DIGEST_INVALID":
        return VerificationError(
            f"the registry received other bytes than were sent{said}",
            where=answer.where,
            hint="a proxy or the registry's storage changes uploads; nothing was published",
        )
    summary, hint = _meaning(answer, code, caller)
    return RegistryError(summary + said, where=answer.where, hint=hint)


def broken(error: Exception, url: str, *, contacted: bool) -> RegistryError:
    """The error that a connection which failed or broke off deserves."""
    host = urlsplit(url).netloc.rpartition("@")[2]
    where = public_url(url)
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return RegistryError(
                    f"the certificate of {host} is not trusted: {cause.verify_message}",
                    where=where,
                    hint="add its CA to this machine's store, or name a bundle in SSL_CERT_FILE",
                )
            case ssl.SSLError() if not contacted:
                return RegistryError(
                    f"{host} does not speak TLS ({getattr(cause, 'reason', None) or 'handshake failed'})",
                    where=where,
                    hint="add --plain-http if this registry serves HTTP",
                )
    told = _network_words(error, host)
    hint = "is the registry running, and is HOST:PORT right?"
    if url.startswith("http://"):
        hint += " (--plain-http is on)"
    return (BrokenOffError if contacted else UnreachableError)(told, where=where, hint=hint)


def _network_words(error: Exception, host: str) -> str:
    for cause in _causes(error):
        match cause:
            case socket.gaierror():
                return f"the name {host} cannot be resolved"
            case ConnectionRefusedError():
                return f"nothing listens at {host}"
            case TimeoutError():
                return f"{host} did not answer in time"
    return f"the connection to {host} broke off ({type(error).__name__})"


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _passing(answer: Answer, said: str) -> BrokenOffError:
    if answer.status == 429:
        told, hint = "the registry limits how often we may ask", "try again later; what is uploaded stays"
    else:
        told, hint = (
            f"the registry failed with {answer.status}",
            "try again later; look at the registry's log",
        )
    after = parse_retry_after(answer.headers.get("retry-after"))
    return BrokenOffError(told + said, where=answer.where, hint=hint, retry_after=after)


def _meaning(answer: Answer, code: str, caller: Caller) -> tuple[str, str]:
    """What happened and what to do, without what the registry itself says."""
    if answer.status == 400 and caller.plain_http and b"HTTPS" in answer.body:
        return f"{caller.host} serves HTTPS, but --plain-http was given", "leave out --plain-http"
    words = {
        "host": caller.host,
        "repository": caller.repository,
        "user": f"user {caller.user!r}" if caller.user else "an anonymous user",
        "origin": caller.origin,
    }
    if answer.status == 401:
        # The login itself was fine if all that is wrong is what it allows (RFC 6750, 3.1).
        narrow = "insufficient_scope" in answer.headers.get("www-authenticate", "")
        keys = [("403" if narrow else "401 known") if caller.origin else "401"]
    else:
        keys = [code, str(answer.status) if not (code and answer.status == 404) else ""]
    for key in keys:
        if key in _MEANINGS:
            summary, hint = _MEANINGS[key]
            return summary.format_map(words), hint.format_map(words)
    return f"{caller.host} refused with {answer.status} {code}".rstrip(), "look at the registry's log"


def _told(body: bytes) -> tuple[str, str]:
    """Code and message of the first error in the body, fit for a terminal."""
    try:
        first = json.loads(body)["errors"][0]
        code, message = str(first.get("code", "")), str(first.get("message", ""))
    except (ValueError, LookupError, TypeError, AttributeError):
        return "", ""
    return re.sub(r"[^A-Z_]", "", code.upper())[:40], re.sub(r"[^ -~]+", " ", message)[:200].strip()
