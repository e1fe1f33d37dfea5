"""One pool of kept-alive HTTP connections for all doors, and how patient it is.

Proxies, netrc and certificates come from the usual places of the environment. Faults leave here as
`HttpFault`, which the doors turn into errors of ours; nothing of httpx goes further.
"""

from __future__ import annotations

import contextlib
import netrc
import os
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import tenacity

from openhands_recipes import __version__

CERTIFICATE_SETTINGS = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")
PASSING_STATUSES = frozenset({408, 425, 429})
ABSENT_STATUSES = frozenset({404, 410})
SMALL_DOCUMENT = 64 << 20


class HttpFault(Exception):  # noqa: N818 - a fault, turned into an error by whoever knows what was wanted
    """A place did not give what was asked for, and why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class PassingFault(HttpFault):
    """It may go away by itself; `retry_after` is how many seconds the place asks for."""

    def __init__(self, reason: str, *, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Absent(HttpFault):
    """The place answers, and does not have it."""


class Refused(HttpFault):
    """The place will not give it, however often it is asked."""


class NoSuchRange(Refused):
    """The place has no bytes where a download wanted to go on."""


class WrongBytes(HttpFault):
    """The place gave other bytes than were promised."""


@dataclass(frozen=True)
class Patience:
    """How often and how long to try one place; waits double, with jitter."""

    attempts: int = 6
    first: float = 0.5
    longest: float = 15.0
    longest_asked: float = 120.0
    """A place that asks for a longer pause (Retry-After) is given up instead."""

    def attempts_of(
        self, *, attempts: int | None = None, stop: threading.Event | None = None
    ) -> tenacity.Retrying:
        """The attempts of one request, waits in between; the last fault is raised as it is."""
        doubling = tenacity.wait_exponential(multiplier=self.first, max=self.longest)
        jitter = tenacity.wait_random(0, self.first)

        def wait(state: tenacity.RetryCallState) -> float:
            fault = state.outcome.exception() if state.outcome else None
            asked = fault.retry_after if isinstance(fault, PassingFault) else 0.0
            return max(asked, doubling(state)) + jitter(state)

        def patient(fault: BaseException) -> bool:
            return isinstance(fault, PassingFault) and fault.retry_after <= self.longest_asked

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(patient),
            stop=tenacity.stop_after_attempt(attempts or self.attempts),
            wait=wait,
            sleep=tenacity.sleep_using_event(stop or threading.Event()),
            reraise=True,
        )


class Http:
    """The pool; opened at its first request, so that who needs no network pays nothing."""

    def __init__(
        self,
        *,
        connections: int = 16,
        patience: Patience = Patience(),
        proxies: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self.connections = connections
        self.patience = patience
        self._proxies = proxies
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._netrc: httpx.NetRCAuth | None = None

    @contextlib.contextmanager
    def stream(self, url: str, headers: Mapping[str, str] | None = None) -> Iterator[httpx.Response]:
        """The successful answer to one GET, its body unread.

        Raises:
            HttpFault: as the kinds above say; also for faults while the body is read.
        """
        client = self._opened()
        with _translated():
            parsed = httpx.URL(url)
            auth = httpx.USE_CLIENT_DEFAULT if parsed.username or self._netrc is None else self._netrc
            with client.stream("GET", parsed, headers=dict(headers or {}), auth=auth) as response:
                _check_status(response)
                yield response

    def get(
        self, url: str, headers: Mapping[str, str] | None = None, *, attempts: int | None = None
    ) -> Document:
        """A small document, asked for patiently.

        Raises:
            HttpFault: after all attempts.
        """
        return self.patience.attempts_of(attempts=attempts)(self._get_once, url, headers)

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _get_once(self, url: str, headers: Mapping[str, str] | None) -> Document:
        with self.stream(url, headers) as response:
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > SMALL_DOCUMENT:
                    raise Refused(f"answers with more than {SMALL_DOCUMENT:,} bytes")
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            return Document(bytes(content), str(response.url), kind)

    def _opened(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                context = _certificates()
                limits = httpx.Limits(
                    max_connections=2 * self.connections, max_keepalive_connections=2 * self.connections
                )
                self._netrc = _netrc()
                self._client = httpx.Client(
                    verify=context,
                    limits=limits,
                    timeout=httpx.Timeout(30.0, connect=15.0, pool=300.0),
                    follow_redirects=True,
                    headers={"User-Agent": f"openhands-recipes/{__version__}"},
                    mounts={
                        pattern: httpx.HTTPTransport(proxy=proxy, verify=context, limits=limits)
                        for pattern, proxy in self._proxies().items()
                    },
                )
            return self._client


@dataclass(frozen=True)
class Document:
    """A small document, where it was found in the end, and its media type."""

    content: bytes
    url: str
    media_type: str


def shown(url: str) -> str:
    """A URL as it may be printed: without credentials."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}" if separator else url


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.TooManyRedirects) as error:
        raise Refused(f"{error}") from error
    except httpx.TransportError as error:
        if _is_about_certificates(error):
            raise Refused(
                f"its TLS certificate is not trusted ({error}); set SSL_CERT_FILE to your certificates"
            ) from error
        raise PassingFault(str(error) or type(error).__name__) from error
    except httpx.HTTPError as error:
        raise PassingFault(f"answers with a broken body ({error})") from error


def _is_about_certificates(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _check_status(response: httpx.Response) -> None:
    status = response.status_code
    if response.is_success:
        return
    reason = f"answers {status} {response.reason_phrase}".rstrip()
    if status in ABSENT_STATUSES:
        raise Absent(reason)
    if status in PASSING_STATUSES or response.is_server_error:
        asked = _seconds(response.headers.get("retry-after", ""))
        raise PassingFault(f"{reason}, asks for {asked:.0f} s" if asked else reason, retry_after=asked)
    raise NoSuchRange(reason) if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE else Refused(reason)


def _seconds(retry_after: str) -> float:
    """Retry-After as seconds from now: a number or a date (RFC 9110, section 10.2.3)."""
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except (TypeError, ValueError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _certificates() -> ssl.SSLContext:
    """Whom to trust: what the environment names, else the system's store, else the bundled one."""
    for name in CERTIFICATE_SETTINGS:
        path = os.environ.get(name, "")
        if Path(path).is_file():
            return ssl.create_default_context(cafile=path)
        if path and Path(path).is_dir():
            return ssl.create_default_context(capath=path)
    system = ssl.get_default_verify_paths()
    if system.cafile or (system.capath and any(Path(system.capath).iterdir())):
        return ssl.create_default_context()
    return httpx.create_ssl_context()


def _netrc() -> httpx.NetRCAuth | None:
    """Credentials kept in the user's netrc file, if there is one that can be read."""
    try:
        return httpx.NetRCAuth(os.environ.get("NETRC"))
    except (OSError, netrc.NetrcParseError):
        return None
