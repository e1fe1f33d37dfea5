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
        content = part.content
        first = next(_mentions(content, name.encode(), 0, len(content)), None)
        if first:
            stanza = max(0, content.rfind(b"\n\n", 0, first[1]))
            end = content.find(b"\n\n", first[1])
            all_here = _mentions(content, name.encode(), first[1], end if end >= 0 else len(content))
            return (position, stanza, *min(all_here))
    return (len(lists), 0, 0, 0)


def _mentions(content: bytes, name: bytes, offset: int, end: int) -> Iterator[tuple[int, int]]:
    """Every mention between two offsets, as the rank of its field and its place."""
    offset = content.find(name, offset, end)
    while offset >= 0:
        after = offset + len(name)
        if content[offset - 1 : offset] in _BEFORE and content[after : after + 1] in _AFTER:
            rank = _RANK.get(_field_at(content, offset))
            if rank is not None:
                yield rank, offset
        offset = content.find(name, after, end)


def _field_at(content: bytes, offset: int) -> bytes:
    """The name of the field around an offset, found across folded lines."""
    start = content.rfind(b"\n", 0, offset) + 1
    while content[start : start + 1] in (b" ", b"\t") and start:
        start = content.rfind(b"\n", 0, start - 1) + 1
    return content[start : content.find(b":", start)]
