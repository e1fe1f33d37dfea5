"""Keys: who signs, and who can be believed."""

from __future__ import annotations

from typing import Protocol


class SigningKey(Protocol):
    """A private key of ours."""

    @property
    def hint(self) -> str:
        """Base64 of the SHA-256 of the public key (DER, SubjectPublicKeyInfo), as in a bundle."""

    def sign(self, message: bytes) -> bytes:
        """The signature of a message, the same one every time."""


class PublicKey(Protocol):
    """A key whose signatures are believed."""

    @property
    def hint(self) -> str:
        """As for a `SigningKey`."""

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether the signature is the key's, of this very message."""


class Signer(Protocol):
    """Whoever signs statements: a key, or a person or workflow known by a certificate (keyless)."""

    @property
    def name(self) -> str:
        """How people call it."""

    def bundle(self, statement: bytes) -> bytes:
        """A sigstore bundle (v0.3, JSON) with a DSSE envelope over an in-toto statement.

        Raises:
            OutsideError: the signing tool or its services failed.
        """
