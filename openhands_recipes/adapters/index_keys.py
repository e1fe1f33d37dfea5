"""Keys that sign the index: PEM files, one a key, in folders; encrypted if there is a passphrase.

A file is called `<role>.pem` or `<role>-<number>.pem`; which role its key may sign for is decided by the
signed metadata, never by that name. Ed25519 (RFC 8032): deterministic and small.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner, SSlibKey

from openhands_recipes.adapters.atomic import temporary_name
from openhands_recipes.errors import OutsideError, UsageError

OFFLINE = ("root", "targets")
KEYS_MISSING = "OHR447"


class KeyFolders:
    """The key files of one machine."""

    def __init__(self, folders: Sequence[Path], passphrase: Callable[[str], str] = lambda _: "") -> None:
        self.folders = tuple(folders)
        self._passphrase = passphrase

    def signers(self, role: str, keyids: Sequence[str]) -> list[CryptoSigner]:
        """Those of a role's keys that are here.

        Raises:
            UsageError: a key file cannot be opened.
        """
        found = {signer.public_key.keyid: signer for signer in map(self._load, self._files(role))}
        return [found[keyid] for keyid in keyids if keyid in found]

    def create(self, role: str) -> tuple[CryptoSigner, Path]:
        """A new key in the first folder, below `offline/` or `online/` as its role demands.

        Raises:
            OutsideError: it cannot be written.
        """
        folder = self.folders[0] / ("offline" if role in OFFLINE else "online")
        numbers = itertools.count(1)
        path = next(path for n in numbers if not (path := folder / f"{role}-{n}.pem").exists())
        private = Ed25519PrivateKey.generate()
        words = self._passphrase(role)
        protection: KeySerializationEncryption = (
            BestAvailableEncryption(words.encode()) if words else NoEncryption()
        )
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_secret(path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection))
        except OSError as error:
            raise OutsideError(f"a key cannot be written: {error.strerror}", where=str(path)) from error
        return CryptoSigner(private, SSlibKey.from_crypto(private.public_key())), path

    def _files(self, role: str) -> Iterator[Path]:
        for folder in self.folders:
            for place in (folder, folder / "online", folder / "offline"):
                yield from sorted((*place.glob(f"{role}.pem"), *place.glob(f"{role}-*.pem")))

    def _load(self, path: Path) -> CryptoSigner:
        try:
            content = path.read_bytes()
            words = self._passphrase(path.stem) if b"ENCRYPTED" in content else ""
            private = load_pem_private_key(content, password=words.encode() if words else None)
        except OSError as error:
            raise OutsideError(f"a key cannot be read: {error.strerror}", where=str(path)) from error
        except (TypeError, ValueError, UnsupportedAlgorithm) as error:
            raise UsageError(
                f"a key cannot be opened ({error})", where=str(path),
                hint="set OHR_INDEX_PASSPHRASE to its passphrase", code=KEYS_MISSING,
            ) from error  # fmt: skip
        if not isinstance(private, Ed25519PrivateKey):
            raise UsageError("not an Ed25519 key", where=str(path), code=KEYS_MISSING)
        return CryptoSigner(private, SSlibKey.from_crypto(private.public_key()))


def _write_secret(path: Path, content: bytes) -> None:
    """A file that only its owner may read, whole or not at all."""
    temporary = temporary_name(path.parent, path.name)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
