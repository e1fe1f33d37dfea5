"""Key files: ECDSA P-256 and Ed25519, PEM, encrypted or not, and the key files `cosign` writes.

Nothing of `cryptography` passes through this door.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256

from openhands_recipes.errors import UsageError

LIMIT = 64 * 1024
_COSIGN = ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")
_MOST_MEMORY = 1 << 28
_HINT = "an ECDSA P-256 or Ed25519 key in PEM, or what `cosign generate-key-pair` writes"

_Public = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
_Private = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class FilePublicKey:
    """`ports.PublicKey` from a PEM file."""

    def __init__(self, key: _Public) -> None:
        self._key = key

    @property
    def hint(self) -> str:
        """Base64 of the SHA-256 of the key as DER."""
        return _hint(self._key)

    def pem(self) -> bytes:
        """The key as a PEM file."""
        return self._key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether the signature is the key's, of this very message."""
        try:
            if isinstance(self._key, ec.EllipticCurvePublicKey):
                self._key.verify(signature, message, ec.ECDSA(SHA256()))
            else:
                self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class FileSigningKey:
    """`ports.SigningKey` from a file. Signatures are deterministic (RFC 6979, RFC 8032)."""

    def __init__(self, key: _Private) -> None:
        self._key = key

    @property
    def hint(self) -> str:
        """Base64 of the SHA-256 of the public key as DER."""
        return _hint(self._key.public_key())

    @property
    def public(self) -> FilePublicKey:
        """The other half."""
        return FilePublicKey(self._key.public_key())

    def sign(self, message: bytes) -> bytes:
        """The signature of a message, the same one every time."""
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return self._key.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True))
        return self._key.sign(message)


def read_signing_key(path: Path, *, password: Callable[[], str]) -> FileSigningKey:
    """A private key; the password is asked for only if the file is encrypted.

    Raises:
        UsageError: no such file, not a key we use, or the wrong password.
    """
    content = _content(path)
    try:
        key = _private(content, password)
    except (ValueError, TypeError, KeyError, UnsupportedAlgorithm, binascii.Error) as error:
        raise UsageError(f"the key cannot be read: {error}", where=str(path), hint=_HINT) from error
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return FileSigningKey(key)
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1":
        return FileSigningKey(key)
    raise UsageError("the key is of another kind", where=str(path), hint=_HINT)


def read_public_key(path: Path) -> FilePublicKey:
    """A public key from its PEM file.

    Raises:
        UsageError: no such file, or not a key we use.
    """
    try:
        return parse_public_key(_content(path))
    except ValueError as error:
        raise UsageError(f"the public key cannot be read: {error}", where=str(path), hint=_HINT) from error


def parse_public_key(pem: bytes) -> FilePublicKey:
    """A public key from PEM.

    Raises:
        ValueError: not a key we use.
    """
    try:
        key = serialization.load_pem_public_key(pem)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
    if isinstance(key, ed25519.Ed25519PublicKey):
        return FilePublicKey(key)
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1":
        return FilePublicKey(key)
    raise ValueError("a key of another kind")


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(LIMIT)
    except OSError as error:
        raise UsageError(f"the key cannot be read: {error.strerror}", where=str(path)) from error


def _private(content: bytes, password: Callable[[], str]) -> PrivateKeyTypes:
    label = content.partition(b"-----BEGIN ")[2].partition(b"-----")[0].decode(errors="replace")
    if label in _COSIGN:
        opened = _open_cosign(content, password().encode())
        return serialization.load_der_private_key(opened, password=None)
    if label == "ENCRYPTED PRIVATE KEY" or b"Proc-Type: 4,ENCRYPTED" in content:
        return serialization.load_pem_private_key(content, password=password().encode())
    return serialization.load_pem_private_key(content, password=None)


def _open_cosign(content: bytes, password: bytes) -> bytes:
    """The PKCS #8 key in cosign's box: scrypt, then NaCl's secretbox (go-tuf, package encrypted)."""
    from nacl.exceptions import CryptoError  # noqa: PLC0415 - only needed for these files
    from nacl.secret import SecretBox  # noqa: PLC0415

    body = b"".join(line for line in content.splitlines() if b"-----" not in line)
    box = json.loads(base64.b64decode(body, validate=True))
    if box["kdf"]["name"] != "scrypt" or box["cipher"]["name"] != "nacl/secretbox":
        raise ValueError(f"encrypted with {box['kdf']['name']} and {box['cipher']['name']}")
    parameters = box["kdf"]["params"]
    if 128 * int(parameters["N"]) * int(parameters["r"]) > _MOST_MEMORY:
        raise ValueError("its password would take more than 256 MiB to check")
    key = hashlib.scrypt(
        password,
        salt=base64.b64decode(box["kdf"]["salt"]),
        n=int(parameters["N"]),
        r=int(parameters["r"]),
        p=int(parameters["p"]),
        dklen=SecretBox.KEY_SIZE,
        maxmem=2 * _MOST_MEMORY,
    )
    try:
        return SecretBox(key).decrypt(
            base64.b64decode(box["ciphertext"]), base64.b64decode(box["cipher"]["nonce"])
        )
    except CryptoError:
        raise ValueError("wrong password") from None


def _hint(key: _Public) -> str:
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()
