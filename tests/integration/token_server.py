"""A token server as distribution's specification describes it, whose tokens a real registry accepts."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.integration.debian_tools import installed
from tests.integration.registry_server import QuietServer

SERVICE = "registry of the tests"


@dataclass(frozen=True)
class Asked:
    """One request for a token."""

    method: str
    scopes: frozenset[str]
    user: str
    grant: str = ""


@dataclass
class TokenServer:
    """Gives tokens to known users (or everybody, if there are none) for scopes that are allowed."""

    folder: Path
    users: dict[str, str] = field(default_factory=dict)
    refresh_tokens: dict[str, str] = field(default_factory=dict)
    allows: Callable[[str], bool] = lambda _: True
    lifetime: int = 300
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[], tuple[int, bytes] | None] = lambda: None
    """Something else than a token, if it says so."""

    def __enter__(self) -> Self:
        make_certificate(self.folder)
        owner = self

        class Handler(_Handler):
            tokens = owner  # type: ignore[assignment]  # mypy takes `owner` for the class's own

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self.realm = f"http://127.0.0.1:{self._server.server_address[1]}/token"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def auth(self) -> dict[str, object]:
        """What the registry's configuration has to say."""
        certificate = str(self.folder / "cert.pem")
        return {
            "token": {
                "realm": self.realm,
                "service": SERVICE,
                "issuer": "tests",
                "rootcertbundle": certificate,
            }
        }

    def token(self, user: str, scopes: frozenset[str]) -> str:
        now = int(time.time())
        access = [
            {"type": kind, "name": name, "actions": actions.split(",")}
            for kind, name, actions in (scope.split(":") for scope in sorted(scopes) if self.allows(scope))
        ]
        claims: dict[str, Any] = {
            "iss": "tests",
            "sub": user,
            "aud": SERVICE,
            "jti": str(now),
            "access": access,
        }
        claims |= {"nbf": now - 5, "iat": now - 5, "exp": now + self.lifetime}
        certificate = "".join((self.folder / "cert.pem").read_text().splitlines()[1:-1])
        header = {"typ": "JWT", "alg": "RS256", "x5c": [certificate]}
        unsigned = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
        signed = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", self.folder / "key.pem"],
            input=unsigned.encode(),
            capture_output=True,
            check=True,
        )
        return f"{unsigned}.{_base64url(signed.stdout)}"


def make_certificate(folder: Path, name: str = "tests") -> None:
    """`cert.pem` and `key.pem` for 127.0.0.1, signed by themselves."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        str(installed("openssl", "openssl")),
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
    ]
    command += ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    tokens: TokenServer

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name in ("do_GET", "do_POST"):
            return self.handle_any
        raise AttributeError(name)

    def handle_any(self) -> None:
        if self.command == "POST":
            fields = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            scopes = frozenset(fields.get("scope", [""])[0].split())
            user = self.tokens.refresh_tokens.get(fields["refresh_token"][0], "")
            known, grant = bool(user), fields["grant_type"][0]
        else:
            scopes = frozenset(parse_qs(urlsplit(self.path).query).get("scope", []))
            user, known = self._user()
            grant = ""
        self.tokens.asked.append(Asked(self.command, scopes, user, grant))
        if other := self.tokens.answer():
            self._reply(*other)
        elif not known:
            self._reply(401, b'{"details":"incorrect username or password"}')
        else:
            named = "access_token" if self.command == "POST" else "token"
            content: dict[str, Any] = {
                named: self.tokens.token(user, scopes),
                "expires_in": self.tokens.lifetime,
            }
            self._reply(200, json.dumps(content).encode())

    def _user(self) -> tuple[str, bool]:
        kind, _, pair = self.headers.get("Authorization", "").partition(" ")
        if kind != "Basic":
            return "", not self.tokens.users
        user, _, password = base64.b64decode(pair).decode().partition(":")
        return user, self.tokens.users.get(user) == password

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass
