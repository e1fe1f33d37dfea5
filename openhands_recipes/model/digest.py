"""Digests, and the one place where a value becomes the bytes that are hashed."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, NewType

from openhands_recipes.errors import VerificationError

Digest = NewType("Digest", str)
"""`sha256:` and 64 lower-case hexadecimal digits (OCI image-spec, descriptor digests)."""

PATTERN = r"^sha256:[0-9a-f]{64}$"


def digest_of(content: bytes) -> Digest:
    """The digest of some bytes."""
    return Digest("sha256:" + hashlib.sha256(content).hexdigest())


def from_hex(sha256: str) -> Digest:
    """A digest from 64 hexadecimal digits as Debian and PyPI write them."""
    return parse("sha256:" + sha256.lower())


def parse(text: str) -> Digest:
    """A digest from its usual spelling.

    Raises:
        VerificationError: the text is not a sha256 digest.
    """
    if not re.match(PATTERN, text):
        raise VerificationError(f"not a sha256 digest: {text!r}")
    return Digest(text)


def hex_of(digest: Digest) -> str:
    """The 64 hexadecimal digits of a digest."""
    return digest.partition(":")[2]


def canonical_json(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """The only JSON we hash: sorted keys, no spaces, UTF-8, no trailing newline.

    Numbers must be integers (RFC 8785 agrees on those, and nothing of ours is a float).
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest_of_json(value: Any) -> Digest:  # noqa: ANN401 - any JSON value
    """The digest of a JSON value in its canonical form."""
    return digest_of(canonical_json(value))
