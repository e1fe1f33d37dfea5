"""Where a package's name first appears in the lists: apt's last resort between equal providers.

apt numbers names as its cache meets them, stanza by stanza, and of two providers that nothing else tells
apart takes the one with the higher number. The rule means nothing, but it is what people get from apt, so
it is what they get from us. Looking a name up costs a scan of the text up to its first mention; only the
few ties of a solve are looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from openhands_recipes.ports import PackageList

Mention = tuple[int, int, int, int]
"""List, stanza, field and offset; smaller is earlier."""

# The order in which apt reads the fields of one stanza.
_FIELDS = (
    b"Package", b"Pre-Depends", b"Depends", b"Conflicts", b"Breaks", b"Recommends", b"Suggests", b"Replaces",
    b"Enhances", b"Provides",
)  # fmt: skip
_RANK = {field: rank for rank, field in enumerate(_FIELDS)}
_BEFORE = b" ,|\n\t"
_AFTER = b" ,|\n\t("


def first_mention(lists: Sequence[PackageList], name: str) -> Mention:
    """Where apt meets a name first; after everything else when no list has it."""
    for position, part in enumerate(lists):
        mentions = _mentions(part.content, name.encode())
        first = next(mentions, None)
        if first is None:
            continue
        stanza = first[0]
        for later in mentions:
            if later[0] != stanza:
                break
            first = min(first, later)
        return (position, *first)
    return (len(lists), 0, 0, 0)


def _mentions(content: bytes, name: bytes) -> Iterator[tuple[int, int, int]]:
    """Every mention as stanza, field and offset, stanza by stanza."""
    offset = content.find(name)
    while offset >= 0:
        end = offset + len(name)
        if content[offset - 1 : offset] in _BEFORE and content[end : end + 1] in _AFTER:
            rank = _RANK.get(_field_at(content, offset))
            if rank is not None:
                yield max(0, content.rfind(b"\n\n", 0, offset)), rank, offset
        offset = content.find(name, end)


def _field_at(content: bytes, offset: int) -> bytes:
    """The name of the field around an offset, found across folded lines."""
    start = content.rfind(b"\n", 0, offset) + 1
    while content[start : start + 1] in (b" ", b"\t") and start:
        start = content.rfind(b"\n", 0, start - 1) + 1
    return content[start : content.find(b":", start)]
