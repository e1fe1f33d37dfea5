"""A key as a `ports.Signer`."""

from __future__ import annotations

from dataclasses import dataclass

from openhands_recipes.ports.signer import SigningKey
from openhands_recipes.publish.bundle import sign_bundle


@dataclass(frozen=True)
class KeySigner:
    """Signs with a key of ours: offline, and the same bundle every time."""

    key: SigningKey

    @property
    def name(self) -> str:
        """How people call it."""
        return f"key {self.key.hint}"

    def bundle(self, statement: bytes) -> bytes:
        """A sigstore bundle over an in-toto statement."""
        return sign_bundle(statement, self.key)
