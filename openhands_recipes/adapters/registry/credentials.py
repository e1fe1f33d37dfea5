"""Who we are for a registry: environment, Docker's and Podman's files, credential helpers.

Sources, first match wins: `OHR_REGISTRY_USER`/`OHR_REGISTRY_PASSWORD`; `$REGISTRY_AUTH_FILE`
(containers-auth.json(5)); `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`;
`$XDG_RUNTIME_DIR/containers/auth.json`. Within a file: `credHelpers`, `credsStore`, `auths`.

Secrets never appear in a repr, a log line or an error.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from openhands_recipes.errors import RegistryError, UsageError
from openhands_recipes.model.reference import HUB, HUB_NAMES

log = logging.getLogger(__name__)

HELPER_SECONDS = 60
"""Helpers may ask people to unlock a key store."""
_HUB_LOGIN = "https://index.docker.io/v1/"
"""Under which name `docker login` keeps the login of Docker Hub (docker/cli, `registry.IndexServer`)."""
_HELPER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NOT_FOUND = "credentials not found"
"""How helpers say that they know nothing (docker-credential-helpers, `credentials/error.go`)."""


@dataclass(frozen=True)
class Credentials:
    """Something a registry or its token server accepts."""

    user: str
    secret: str = field(repr=False)
    origin: str
    """Where they were found, for messages: a file, a helper, the environment."""
    kind: Literal["password", "identity-token", "registry-token"] = "password"


class CredentialStore:
    """Finds the credentials of one host when they are first asked for."""

    def __init__(self, *, environment: Mapping[str, str], home: Path) -> None:
        self._environment = environment
        self._home = home

    def find(self, host: str, repository: str) -> Credentials | None:
        """What is known for a repository on a host; None means: be anonymous.

        Raises:
            RegistryError: a file cannot be read or a helper failed.
            UsageError: the environment names a user but no password, or the other way round.
        """
        found = _from_environment(self._environment)
        for path in self._files():
            found = found or _from_file(path, host, repository)
        log.debug("credentials for %s: %s", host, found.origin if found else "none")
        return found

    def _files(self) -> Iterator[Path]:
        if chosen := self._environment.get("REGISTRY_AUTH_FILE"):
            yield Path(chosen)
        docker = self._environment.get("DOCKER_CONFIG")
        yield (Path(docker) if docker else self._home / ".docker") / "config.json"
        if runtime := self._environment.get("XDG_RUNTIME_DIR"):
            yield Path(runtime) / "containers" / "auth.json"


def _from_environment(environment: Mapping[str, str]) -> Credentials | None:
    user, password = environment.get("OHR_REGISTRY_USER"), environment.get("OHR_REGISTRY_PASSWORD")
    if not user and not password:
        return None
    if not user or not password:
        missing = "OHR_REGISTRY_PASSWORD" if user else "OHR_REGISTRY_USER"
        raise UsageError(f"{missing} is not set", hint="set both OHR_REGISTRY_USER and OHR_REGISTRY_PASSWORD")
    return Credentials(user=user, secret=password, origin="OHR_REGISTRY_USER")


def _from_file(path: Path, host: str, repository: str) -> Credentials | None:
    content = _read(path)
    if content is None:
        return None
    helpers, auths = _table(content, "credHelpers", path), _table(content, "auths", path)
    names = HUB_NAMES if host == HUB else (host,)
    wanted = [key for name in names for key in _wanted_keys(name, repository)]
    keys = [key for want in wanted for key in auths if _normal(key) == want]
    places = (*names, _HUB_LOGIN) if host == HUB else names
    helper = next((helpers[name] for name in places if helpers.get(name)), None)
    if helper := helper or content.get("credsStore"):
        for key in dict.fromkeys([*keys, _HUB_LOGIN if host == HUB else host]):
            if found := _ask_helper(str(helper), key):
                return found
    for key in keys:
        if found := _from_entry(auths[key], f"{path} ({key})"):
            return found
    return None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise RegistryError(
            "credentials cannot be read", where=str(path), hint="make the file readable, or log in again"
        ) from error
    try:
        content = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        # Not "from error": a traceback would quote the whole file.
        raise RegistryError(
            "credentials file is not JSON", where=f"{path}:{error.lineno}", hint="repair it, or log in again"
        ) from None
    return _object(content, path, "the file")


def _table(content: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    return _object(content.get(name) or {}, path, name)


def _object(value: object, path: Path, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RegistryError(f"{name} should be a JSON object", where=str(path), hint="log in again")
    return value


def _wanted_keys(host: str, repository: str) -> list[str]:
    """`host/a/b`, `host/a`, `host`: the most specific first (containers-auth.json(5))."""
    parts = [host, *repository.split("/")]
    return ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]


def _normal(key: str) -> str:
    """A key without what older logins wrote around it: `https://host/v1/` means `host`."""
    key = re.sub(r"^https?://", "", key).rstrip("/")
    host, slash, path = re.sub(r"/v[12]$", "", key).partition("/")
    return host.lower() + slash + path


def _from_entry(entry: object, origin: str) -> Credentials | None:
    if not isinstance(entry, dict):
        raise RegistryError("this login is not a JSON object", where=origin, hint="log in again")
    user, secret = _decoded(entry.get("auth"), origin)
    user, secret = str(entry.get("username") or user), str(entry.get("password") or secret)
    if token := entry.get("identitytoken"):
        return Credentials(user=user, secret=str(token), origin=origin, kind="identity-token")
    if token := entry.get("registrytoken"):
        return Credentials(user=user, secret=str(token), origin=origin, kind="registry-token")
    return Credentials(user=user, secret=secret, origin=origin) if user else None


def _decoded(auth: object, origin: str) -> tuple[str, str]:
    if not auth:
        return "", ""
    try:
        text = base64.b64decode(str(auth), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    user, colon, password = text.partition(":")
    if not colon:
        raise RegistryError("`auth` is not base64 of user:password", where=origin, hint="log in again")
    return user, password.rstrip("\0")


def _ask_helper(name: str, key: str) -> Credentials | None:
    """Speak `get` with `docker-credential-<name>`: the key goes in, JSON comes out.

    What a failing helper prints is not repeated: it may hold anything.
    """
    import subprocess  # noqa: PLC0415 - start-up time

    program = f"docker-credential-{name}"
    if not _HELPER_NAME.fullmatch(name):
        raise RegistryError(f"{name!r} is no credential helper", hint="correct credHelpers or credsStore")
    try:
        done = subprocess.run(
            [program, "get"], input=key.encode(), capture_output=True, timeout=HELPER_SECONDS, check=False
        )
    except FileNotFoundError:
        hint = "install it, or take it out of credHelpers and credsStore"
        raise RegistryError(f"credential helper {program} is not on PATH", hint=hint) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RegistryError(f"credential helper {program} did not answer", hint="run it by hand") from error
    if done.returncode != 0:
        if _NOT_FOUND in (done.stdout + done.stderr).decode(errors="replace").lower():
            return None
        raise RegistryError(
            f"credential helper {program} failed with exit code {done.returncode}",
            hint=f"try: echo {key} | {program} get",
        )
    return _from_helper(done.stdout, program)


def _from_helper(answer: bytes, program: str) -> Credentials | None:
    try:
        content = json.loads(answer)
        user, secret = str(content["Username"]), str(content["Secret"])
    except (ValueError, KeyError, TypeError):
        raise RegistryError(
            f"credential helper {program} answered no credentials", hint="update it"
        ) from None
    if not secret:
        return None
    kind: Literal["password", "identity-token"] = "identity-token" if user == "<token>" else "password"
    return Credentials(user=user, secret=secret, origin=program, kind=kind)
