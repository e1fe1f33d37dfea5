"""What a networked sandbox is told of the machine's network: its proxy, its certificates, its mirrors.

Everything is offered at run time, as files and variables that exist while the box is open, and never ends in
an image. The image's own certificates stay trusted; the machine's join them, for people behind a gateway that
signs again. Which variable each client reads is from its own documentation.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from openhands_recipes.errors import UsageError
from openhands_recipes.ports import BoxFile

BUNDLE = "/run/ohr/ca.pem"
_IMAGE_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_IMAGE_BUNDLES = (_IMAGE_BUNDLE, "/etc/ssl/certs/ca-bundle.crt", "/etc/pki/tls/certs/ca-bundle.crt")
_JAVA_STORE = "/etc/ssl/certs/java/cacerts"
_MACHINE_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Arch, Gentoo
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS
)
_READ_BY_CLIENTS = (
    "SSL_CERT_FILE",  # OpenSSL, Go, Python, Ruby, rustls-native-certs, uv
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "AWS_CA_BUNDLE",
    "NIX_SSL_CERT_FILE",
    "HTTPLIB2_CA_CERTS",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
    "PERL_LWP_SSL_CA_FILE",
    "HEX_CACERTS_PATH",
    "DENO_CERT",
)
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")


@dataclass(frozen=True)
class NetworkOffer:
    """Files and variables for a box with network."""

    files: tuple[BoxFile, ...]
    environment: Mapping[str, str]


def machine_bundle(chosen: Path | None) -> bytes:
    """The certificates this machine trusts: a chosen bundle, else SSL_CERT_FILE's, else the system's own.

    Raises:
        UsageError: the chosen bundle cannot be read, or holds no certificate.
    """
    if chosen is not None:
        try:
            content = chosen.read_bytes()
        except OSError as error:
            raise UsageError(
                f"the certificate bundle cannot be read: {error.strerror}", where=str(chosen)
            ) from error
        if b"-----BEGIN " not in content:
            raise UsageError(
                "the certificate bundle holds no certificate in PEM form",
                where=str(chosen),
                hint="convert it: `openssl x509 -inform der -in FILE -out FILE.pem`",
            )
        return content
    for path in (os.environ.get("SSL_CERT_FILE", ""), *_MACHINE_BUNDLES):
        if path and Path(path).is_file():
            return Path(path).read_bytes()
    return b""


def network_offer(
    image_file: Callable[[str], bytes | None],
    *,
    ca_bundle: Path | None = None,
    write_keystore: Callable[[bytes], bytes] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> NetworkOffer:
    """Everything common clients need to reach the world from inside as this machine does.

    `image_file` reads a file of the image; `write_keystore` makes a Java trust store of a PEM bundle.

    Raises:
        UsageError: the chosen bundle is of no use.
    """
    variables = _proxy_variables(environment)
    merged = _merged(image_file(_IMAGE_BUNDLE) or b"", machine_bundle(ca_bundle))
    files = [BoxFile(BUNDLE, merged)]
    files += [
        BoxFile(path, merged)
        for path in _IMAGE_BUNDLES
        if path == _IMAGE_BUNDLE or image_file(path) is not None
    ]
    if write_keystore is not None and image_file(_JAVA_STORE) is not None:
        files.append(BoxFile(_JAVA_STORE, write_keystore(merged)))
    variables |= dict.fromkeys(_READ_BY_CLIENTS, BUNDLE)
    if image_file("/etc/sudoers") is not None:
        names = " ".join(sorted(variables))
        keep = f'Defaults env_keep += "{names}"\n'
        files.append(BoxFile("/etc/sudoers.d/ohr-network", keep.encode(), 0o440))
    return NetworkOffer(tuple(files), variables)


def apt_sources(deb822: str, *, instead_of: str = "/etc/apt/sources.list.d/debian.sources") -> BoxFile:
    """The machine's own mirrors in place of the image's, for `apt-get` inside."""
    return BoxFile(instead_of, deb822.encode(), 0o444)


def _merged(first: bytes, second: bytes) -> bytes:
    """Two PEM bundles as one, without the second's certificates that the first has."""
    known = set(_blocks(first))
    fresh = [block for block in _blocks(second) if block not in known]
    return first.rstrip(b"\n") + b"\n" * bool(first) + b"".join(block + b"\n" for block in fresh)


def _blocks(pem: bytes) -> Sequence[bytes]:
    end = b"-----END CERTIFICATE-----"
    blocks = []
    for piece in pem.split(end)[:-1]:
        start = piece.rfind(b"-----BEGIN CERTIFICATE-----")
        if start >= 0:
            blocks.append(b"\n".join(piece[start:].split(b"\r\n")).strip() + b"\n" + end)
    return blocks


def _proxy_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Both spellings of each: clients disagree on which one counts."""
    variables: dict[str, str] = {}
    for name in _PROXIES:
        value = environment.get(name) or environment.get(name.upper())
        if value:
            variables |= {name: value, name.upper(): value}
    java = _java_options(variables)
    return variables | ({"JAVA_TOOL_OPTIONS": java} if java else {})


def _java_options(variables: Mapping[str, str]) -> str:
    """Java reads no proxy variable, only properties (java.base, net properties)."""
    options = []
    for scheme in ("http", "https"):
        proxy = variables.get(f"{scheme}_proxy", "")
        parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        if parts.hostname:
            options.append(f"-D{scheme}.proxyHost={parts.hostname}")
            options.append(f"-D{scheme}.proxyPort={parts.port or 80}")
    exceptions = [name.strip() for name in variables.get("no_proxy", "").split(",") if name.strip()]
    if options and exceptions:
        hosts = "|".join(f"*{name}" if name.startswith(".") else name for name in exceptions)
        options.append(f"-Dhttp.nonProxyHosts={hosts}")
    return " ".join(options)
