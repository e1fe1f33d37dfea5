"""Where an image goes: a registry's host, a namespace in it, repositories and tags.

The grammar is distribution-spec 1.1, "Pulling manifests" (`<name>` and `<reference>`); hosts are written as
other tools write them: `registry.example.com`, `127.0.0.1:5000`, `[::1]:5000`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from openhands_recipes.errors import UsageError

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAMESPACE = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_HOST = re.compile(
    r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::(?P<port>[0-9]+))?"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
HUB = "docker.io"
_HUB_API = "registry-1.docker.io"
HUB_NAMES = (HUB, "index.docker.io", _HUB_API)
"""What Docker Hub is called: by people, by Docker's own logins, and by whoever speaks to its API."""
_HINT = "write HOST[:PORT]/NAMESPACE, for example 127.0.0.1:5000/team"


@dataclass(frozen=True)
class RegistryAddress:
    """A registry and the namespace our repositories live in (empty: at its top)."""

    host: str
    """Lower case, with the port if one was given, IPv6 in brackets."""
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.host}/{self.namespace}" if self.namespace else self.host

    def repository(self, recipe: str) -> str:
        """The repository of one recipe, as it stands in the registry's URLs."""
        return f"{self.namespace}/{recipe}" if self.namespace else recipe

    @property
    def api_host(self) -> str:
        """Where its API is: Docker Hub has another host for that than its name."""
        return _HUB_API if self.host == HUB else self.host

    @property
    def is_loopback(self) -> bool:
        """Whether the registry runs on this very machine."""
        return is_loopback(self.host)


def parse_address(text: str, *, repository: bool = False) -> RegistryAddress:
    """The address that `--to` names; without a host it is an account of Docker Hub, as it is for Docker.

    With `repository`, the text names a repository, not the namespace of some.

    Raises:
        UsageError: a scheme, a tag, upper case or anything else the grammar does not know; more than an
            account on Docker Hub, whose repositories are ACCOUNT/NAME.
    """
    if "://" in text:
        raise UsageError(f"--to {text!r} starts with a scheme", hint=f"{_HINT}; --plain-http chooses HTTP")
    host, namespace = _split(text.strip().rstrip("/"))
    if not host and not namespace:
        raise UsageError(f"--to {text!r} names no registry", hint=_HINT)
    _check_host(host, text)
    if namespace and not _NAMESPACE.fullmatch(namespace):
        raise UsageError(f"--to {text!r}: {namespace!r} is no namespace", hint=_namespace_hint(namespace))
    host = HUB if host.lower() in HUB_NAMES else host.lower()
    if host == HUB and (not namespace or namespace.count("/") != int(repository)):
        raise UsageError(
            f"--to {text!r}: repositories of Docker Hub are ACCOUNT/NAME",
            hint=f"write {HUB}/ACCOUNT; the name of the recipe is added. Other registries: {_HINT}",
        )
    return RegistryAddress(host=host, namespace=namespace)


def _split(text: str) -> tuple[str, str]:
    """Host and namespace as Docker tells them apart: a host has a dot or a port, or is `localhost`."""
    host, _, namespace = text.partition("/")
    if "." in host or ":" in host or host.lower() == "localhost" or not text:
        return host, namespace
    return HUB, text


def is_loopback(host: str) -> bool:
    """Whether `HOST[:PORT]` means this machine."""
    match = _HOST.fullmatch(host)
    name = match["name"].strip("[]") if match else host
    if name.lower() == "localhost" or name.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def tag_for(version: str) -> str:
    """A version as a tag: `+`, which tags cannot hold, becomes `_`."""
    tag = version.replace("+", "_")
    if not _TAG.fullmatch(tag):
        raise UsageError(f"version {version!r} cannot be a tag", hint="tags hold 128 of A-Z a-z 0-9 . _ -")
    return tag


def _check_host(host: str, text: str) -> None:
    match = _HOST.fullmatch(host)
    if match is None:
        raise UsageError(f"--to {text!r}: {host!r} is no host", hint=_HINT)
    if match["name"].startswith("["):
        try:
            ipaddress.IPv6Address(match["name"].strip("[]"))
        except ValueError:
            raise UsageError(f"--to {text!r}: {match['name']} is no IPv6 address", hint=_HINT) from None
    if match["port"] is not None and not 0 < int(match["port"]) < 65536:
        raise UsageError(f"--to {text!r}: {match['port']} is no port", hint="ports go from 1 to 65535")


def _namespace_hint(namespace: str) -> str:
    if namespace != namespace.lower():
        return "namespaces are lower case"
    if ":" in namespace or "@" in namespace:
        return "leave out tag and digest: the version of the recipe becomes the tag"
    return "parts are a-z and 0-9, joined by one . or _ or by -, separated by /"
