"""A tiny Debian archive under a key of our own, to be served by `tests.web`."""

from __future__ import annotations

import gzip
import hashlib
import lzma
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

import pysequoia
from pysequoia.packet import PacketPile

from openhands_recipes.adapters.openpgp import Keyring

PACKAGES = b"Package: hello\nVersion: 2.10-5\nArchitecture: amd64\nFilename: pool/main/h/hello.deb\n" * 50
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@cache
def archive_key() -> pysequoia.Tsk:
    return pysequoia.Tsk.generate("Archive Key <archive@example.org>")


@cache
def stranger_key() -> pysequoia.Tsk:
    return pysequoia.Tsk.generate("Third Party <packages@example.com>")


def public(key: pysequoia.Tsk) -> bytes:
    return bytes(key.extract_certificate())


def expired(key: pysequoia.Tsk) -> bytes:
    """The public key as it looks after its last day."""
    ended = datetime.now(UTC) - timedelta(seconds=30)
    return bytes(key.extract_certificate().set_expiration(ended, key.certifier()))


def revoked(key: pysequoia.Tsk) -> bytes:
    certificate = key.extract_certificate()
    primary, *rest = PacketPile.from_bytes(bytes(certificate))
    [revocation] = PacketPile.from_bytes(bytes(certificate.revoke(key.certifier())))
    return bytes(pysequoia.Cert.from_packets([primary, revocation, *rest]))


def our_keys() -> Keyring:
    return Keyring([public(archive_key())])


def clear_signed(content: bytes, key: pysequoia.Tsk | None = None) -> bytes:
    signer = (key or archive_key()).signer()
    return bytes(pysequoia.sign(signer, content, mode=pysequoia.SignatureMode.CLEAR))


def release_date(moment: datetime) -> str:
    return moment.strftime("%a, %d %b %Y %H:%M:%S UTC")


@dataclass
class Suite:
    """One suite of the archive; change a field, and `files` changes with it."""

    name: str = "trixie"
    codename: str = ""
    date: datetime = NOW - timedelta(days=1)
    valid_until: datetime | None = NOW + timedelta(days=6)
    lists: dict[str, bytes] = field(default_factory=lambda: {"amd64": PACKAGES, "arm64": PACKAGES + b"\n"})
    architectures: str = "all amd64 arm64"
    extra_fields: str = "Acquire-By-Hash: yes\nNo-Support-for-Architecture-all: Packages\n"
    endings: tuple[str, ...] = (".xz", "")
    key: pysequoia.Tsk | None = None

    def release(self) -> bytes:
        until = f"Valid-Until: {release_date(self.valid_until)}\n" if self.valid_until else ""
        rows = [
            f" {hashlib.sha256(content).hexdigest()} {len(content):8d} {path}"
            for path, content in sorted(self.indexes().items())
        ]
        return (
            f"Origin: Debian\nSuite: stable\nCodename: {self.codename or self.name}\n"
            f"Date: {release_date(self.date)}\n{until}{self.extra_fields}"
            f"Architectures: {self.architectures}\nSHA256:\n" + "\n".join(rows) + "\n"
        ).encode()

    def indexes(self) -> dict[str, bytes]:
        packers = {".xz": lzma.compress, ".gz": lambda content: gzip.compress(content, mtime=0), "": bytes}
        return {
            f"main/binary-{architecture}/Packages{ending}": packers[ending](content)
            for architecture, content in self.lists.items()
            for ending in self.endings
        }

    def files(self, prefix: str = "") -> dict[str, bytes]:
        """What a mirror serves, by path: like Debian's own, without the uncompressed lists."""
        root = f"{prefix}/dists/{self.name}"
        served = {f"{root}/InRelease": clear_signed(self.release(), self.key)}
        for path, content in self.indexes().items():
            if path.endswith((".xz", ".gz")) or self.endings == ("",):
                folder = path.rpartition("/")[0]
                served[f"{root}/{path}"] = content
                served[f"{root}/{folder}/by-hash/SHA256/{hashlib.sha256(content).hexdigest()}"] = content
        return served
