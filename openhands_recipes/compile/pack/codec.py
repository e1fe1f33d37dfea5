"""How layers are compressed: in frames of fixed input size, so that many cores make the same bytes as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from openhands_recipes.model.image import Compression

BLOCK = 4 << 20
"""Bytes of input per frame."""


class Codec(NamedTuple):
    """One way of compressing; `new_encoder` makes one encoder per thread."""

    name: Compression
    library: str
    level: int
    new_encoder: Callable[[], Callable[[memoryview], bytes]]


def codec(compression: Compression) -> Codec:
    """The codec used for a compression."""
    raise NotImplementedError


def codec_rules(compression: Compression) -> dict[str, str | int]:
    """Everything that decides compressed bytes, for layer keys and the lock: name, library, level, block."""
    raise NotImplementedError
