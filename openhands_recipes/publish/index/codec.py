"""How files of the index are packed: zstd, one frame, content size known, no checksum of its own.

The codec library is pinned (docs/decisions/codecs.md): the same ledger must give the same bytes.
"""

from __future__ import annotations

import json
from typing import Any

import zstandard

from openhands_recipes.model.digest import canonical_json
from openhands_recipes.model.index import malformed

LEVEL = 3
"""Shards are mostly digests, which no level makes smaller."""
LIST_LEVEL = 17
"""Beyond it a hundredth less takes twice as long."""
LIMIT = 256 << 20
"""No file of ours unpacks to more; a hundred thousand recipes come to 15 MB."""

_PACK = zstandard.ZstdCompressor(level=LEVEL, write_checksum=False)
_PACK_LIST = zstandard.ZstdCompressor(level=LIST_LEVEL, write_checksum=False)


def packed(content: bytes, *, is_list: bool = False) -> bytes:
    """The bytes a host keeps; lists are worth more effort."""
    return (_PACK_LIST if is_list else _PACK).compress(content)


def unpacked(content: bytes, *, where: str) -> bytes:
    """What was packed.

    Raises:
        VerificationError: it is no such file, or would be too large.
    """
    try:
        size = zstandard.frame_content_size(content)
        if not 0 <= size <= LIMIT:
            raise malformed(f"a file of the index unpacks to {size:,} bytes", where=where)
        return zstandard.ZstdDecompressor().decompress(content, max_output_size=LIMIT)
    except zstandard.ZstdError as error:
        raise malformed(f"a file of the index cannot be unpacked ({error})", where=where) from error


def packed_json(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """A JSON document, canonical and packed."""
    return packed(canonical_json(value))


def json_of(content: bytes, *, where: str) -> dict[str, Any]:
    """A JSON object, or a complaint.

    Raises:
        VerificationError: it is none, or of a schema this reader does not know.
    """
    try:
        value = json.loads(content)
    except ValueError as error:
        raise malformed(f"a file of the index is no JSON ({error})", where=where) from error
    if not isinstance(value, dict) or not isinstance(value.get("schema"), int):
        raise malformed("a file of the index has no schema number", where=where)
    if value["schema"] != 1:
        raise malformed(f"a file of the index has schema {value['schema']}, which is newer", where=where)
    return value
