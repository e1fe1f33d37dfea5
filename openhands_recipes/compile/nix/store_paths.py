"""What `nix path-info --json` says, and where a tree of known hash lies in a store."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from pydantic import ValidationError

from openhands_recipes.errors import OutsideError
from openhands_recipes.model.nix import STORE, StorePath

BASE32 = "0123456789abcdfghijklmnpqrsvwxyz"
"""Nix's own alphabet: no e, o, t, u."""


def store_paths(text: str) -> tuple[StorePath, ...]:
    """Store paths from `nix path-info --json`, sorted; the formats of Nix 2.18 and later.

    Raises:
        OutsideError: not that, or of a path that is not in the store.
    """
    try:
        value = json.loads(text)
        if isinstance(value, dict):
            value = value.get("info", value) if "version" in value else value
            entries = [(path, info) for path, info in value.items()]
        else:
            entries = [(info["path"], info) for info in value]
        found = [_store_path(path, info) for path, info in entries]
    except (ValueError, TypeError, KeyError, AttributeError, ValidationError) as error:
        raise OutsideError(
            f"Nix tells of store paths in a way this version does not know ({type(error).__name__})",
            hint="set OHR_NIX=embedded to use the toolkit's own Nix",
        ) from error
    return tuple(sorted(found, key=lambda entry: entry.path))


def _store_path(path: str, info: dict[str, Any]) -> StorePath:
    def full(name: str) -> str:  # formats differ in whether they repeat the store's folder
        return name if name.startswith("/") else f"{STORE}/{name}"

    return StorePath(
        path=full(path),
        narHash=_sri(info["narHash"]),
        narSize=info["narSize"],
        references=tuple(sorted(full(reference) for reference in info["references"])),
    )


def _sri(value: object) -> str:
    """`sha256-...` of the spellings there are: SRI, `sha256:` with base 32 or 16, or Nix 2.32's object."""
    match value:
        case str() if value.startswith("sha256-"):
            return value
        case {"algorithm": "sha256", "format": "base64", "hash": str(text)}:
            return f"sha256-{text}"
        case str() if value.startswith("sha256:"):
            text = value.removeprefix("sha256:")
            return _sri_of(bytes.fromhex(text) if len(text) == 64 else from_base32(text))
    raise ValueError(value)


def _sri_of(digest: bytes) -> str:
    return "sha256-" + base64.b64encode(digest).decode()


def tree_path(nar_hash: str, name: str = "source") -> str:
    """The store path of a tree that is known by the hash of its archive: what `flake.lock` pins.

    Nix manual, "Complete store path calculation": fixed output, recursive, SHA-256.
    """
    digest = base64.b64decode(nar_hash.removeprefix("sha256-"), validate=True)
    fingerprint = f"source:sha256:{digest.hex()}:{STORE}:{name}".encode()
    return f"{STORE}/{to_base32(_folded(hashlib.sha256(fingerprint).digest(), 20))}-{name}"


def _folded(digest: bytes, size: int) -> bytes:
    folded = bytearray(size)
    for place, byte in enumerate(digest):
        folded[place % size] ^= byte
    return bytes(folded)


def to_base32(digest: bytes) -> str:
    """Bytes in Nix's base 32: five bits a character, the last bits first."""
    number = int.from_bytes(digest, "little")
    length = (len(digest) * 8 - 1) // 5 + 1
    return "".join(BASE32[(number >> (5 * place)) & 31] for place in reversed(range(length)))


def from_base32(text: str) -> bytes:
    """The bytes again.

    Raises:
        ValueError: not base 32.
    """
    number = 0
    for character in text:
        number = number * 32 + BASE32.index(character)
    return number.to_bytes(len(text) * 5 // 8, "little")
