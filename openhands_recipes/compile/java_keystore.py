"""Java's old keystore format (JKS), as far as trust stores need it: read, write, and forget the time.

Format as OpenJDK writes it (sun.security.provider.JavaKeyStore): a counted list of entries, closed by a SHA-1
over password, a constant phrase and everything before. That sum guards against accidents, not against people,
and the usual password is known to everybody. Private keys pass through `normalise` unread.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Iterable
from typing import NamedTuple

from openhands_recipes.errors import VerificationError

USUAL_PASSWORD = "changeit"  # noqa: S105 - what every Java expects of its trust store
_MAGIC = 0xFEEDFEED
_PHRASE = b"Mighty Aphrodite"
_KEY, _CERTIFICATE = 1, 2
_SUM = 20  # bytes of a SHA-1
_PEM = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.*?)-----END", re.DOTALL)


class Entry(NamedTuple):
    """A certificate (`certificate` is its DER form), or a private key in whatever form it stood."""

    alias: str
    milliseconds: int
    certificate: bytes
    raw_key: bytes = b""


def is_keystore(content: bytes) -> bool:
    """Whether some bytes are in this format at all; newer stores are PKCS #12."""
    return content[:4] == _MAGIC.to_bytes(4, "big")


def parse(content: bytes, *, password: str = USUAL_PASSWORD) -> tuple[Entry, ...]:
    """The entries of a keystore, in its own order.

    Raises:
        VerificationError: another format, cut short, or changed after it was written.
    """
    body = content[:-_SUM]
    if not is_keystore(content) or _sum(body, password) != content[-_SUM:]:
        raise VerificationError(
            "not an intact Java keystore", hint="it is of another format, has another password, or is damaged"
        )
    reader = _Reader(body)
    _, version, count = reader.numbers(">3I")
    entries = tuple(reader.entry(version) for _ in range(count))
    if not reader.at_end:
        raise VerificationError("a Java keystore has more bytes than entries")
    return entries


def write(entries: Iterable[Entry], *, password: str = USUAL_PASSWORD) -> bytes:
    """The keystore that holds some entries, in this order."""
    listed = tuple(entries)
    body = struct.pack(">3I", _MAGIC, 2, len(listed)) + b"".join(map(_written, listed))
    return body + _sum(body, password)


def normalise(content: bytes, *, epoch: int) -> bytes:
    """The same keystore with every entry dated `epoch` (seconds): its bytes depend on what it holds alone.

    Raises:
        VerificationError: not an intact keystore with the usual password.
    """
    return write(entry._replace(milliseconds=epoch * 1000) for entry in parse(content))


def trust_store(certificates: Iterable[bytes], *, epoch: int = 0) -> bytes:
    """A keystore that trusts some certificates (DER), each once, named by its fingerprint."""
    named = {hashlib.sha256(certificate).hexdigest(): certificate for certificate in certificates}
    return write(Entry(name, epoch * 1000, certificate) for name, certificate in named.items())


def certificates_of(pem: bytes) -> tuple[bytes, ...]:
    """The certificates of a PEM bundle (RFC 7468) in DER form; anything else in it is passed over."""
    found = []
    for block in _PEM.finditer(pem):
        try:
            found.append(base64.b64decode(b"".join(block[1].split()), validate=True))
        except binascii.Error:
            continue
    return tuple(found)


def _sum(body: bytes, password: str) -> bytes:
    return hashlib.sha1(password.encode("utf-16-be") + _PHRASE + body).digest()  # noqa: S324 - the format's


def _written(entry: Entry) -> bytes:
    alias = entry.alias.encode()
    tag = _KEY if entry.raw_key else _CERTIFICATE
    head = struct.pack(">IH", tag, len(alias)) + alias + struct.pack(">Q", entry.milliseconds)
    if entry.raw_key:
        return head + entry.raw_key
    kind = b"X.509"
    size = struct.pack(">I", len(entry.certificate))
    return head + struct.pack(">H", len(kind)) + kind + size + entry.certificate


class _Reader:
    def __init__(self, body: bytes) -> None:
        self._body = body
        self._position = 0

    @property
    def at_end(self) -> bool:
        return self._position == len(self._body)

    def take(self, size: int) -> bytes:
        piece = self._body[self._position : self._position + size]
        if len(piece) < size:
            raise VerificationError("a Java keystore ends inside an entry")
        self._position += size
        return piece

    def numbers(self, form: str) -> tuple[int, ...]:
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def text(self) -> str:
        return self.take(*self.numbers(">H")).decode("utf-8", "surrogatepass")

    def certificate(self, version: int) -> bytes:
        if version > 1:  # version 1 knew nothing but X.509
            self.text()
        return self.take(*self.numbers(">I"))

    def entry(self, version: int) -> Entry:
        (tag,) = self.numbers(">I")
        alias = self.text()
        (milliseconds,) = self.numbers(">Q")
        if tag == _CERTIFICATE:
            return Entry(alias, milliseconds, self.certificate(version))
        if tag != _KEY:
            raise VerificationError(f"a Java keystore has an entry of unknown kind {tag}")
        start = self._position
        self.take(*self.numbers(">I"))
        for _ in range(*self.numbers(">I")):
            self.certificate(version)
        return Entry(alias, milliseconds, b"", self._body[start : self._position])
