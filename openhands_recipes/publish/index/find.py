"""Search: every word must occur in a recipe's line; what is in the name counts most.

Looks through the bundle's text itself: a hundred thousand recipes are 15 MB, which takes milliseconds, while
a database would first have to be built. Common words are looked at as far as a limit, best places first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from openhands_recipes.model.index import Listed
from openhands_recipes.publish.index.lists import read_line

LOOKED_AT = 1500
"""Lines judged for one query, in each kind of place."""


@dataclass(frozen=True)
class Query:
    """What somebody looks for; each word and filter must hold."""

    words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    platform: str = ""


class Found(NamedTuple):
    """The best hits, and whether there may be more."""

    hits: tuple[Listed, ...]
    more: bool


class Bundle:
    """A search bundle in memory; ASCII letters are found in either case."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._lower = text.lower()

    def __len__(self) -> int:
        """How many recipes it lists."""
        return self._text.count(b"\n") - 1

    def find(self, query: Query, *, limit: int = 20) -> Found:
        """The best recipes, those with the words in their names first; then by name."""
        words = tuple(word.encode().lower() for word in query.words)
        needles = words + tuple(t.encode().lower() for t in (*query.tags, *query.tools) if t)
        needles += (_short(query.platform),) if query.platform else ()
        ranked: dict[int, tuple[int, int, bytes]] = {}
        cut = False
        rarest = max(needles, key=len, default=b"")
        for lines in (
            self._lines_with(rarest or b"\n"),
            self._named(rarest),
            self._lines_with(b"-" + rarest),
        ):
            for looked, start in enumerate(lines):
                if looked == LOOKED_AT:
                    cut = True
                    break
                if start not in ranked and (rank := self._rank(start, words, needles, query)):
                    ranked[start] = rank
            if not cut:  # the first way finds every line there is; the others, where a word counts more
                break
        best = sorted(ranked.items(), key=lambda item: item[1])
        hits = tuple(self._listed(start) for start, _ in best[:limit])
        return Found(hits, more=cut or len(best) > limit)

    def _lines_with(self, pattern: bytes) -> Iterator[int]:
        """Where the lines begin that hold a pattern; each once. The header is no line."""
        at = self._lower.find(b"\n")
        while (at := self._lower.find(pattern, at)) >= 0:
            start = self._lower.rfind(b"\n", 0, at + 1) + 1
            if start >= len(self._lower):
                return
            yield start
            at = self._lower.find(b"\n", start)

    def _named(self, word: bytes) -> Iterator[int]:
        """Where the lines begin whose name begins with a word: lines are sorted by name."""
        low, high = self._lower.find(b"\n") + 1, len(self._lower)
        while low < high:
            start = self._lower.rfind(b"\n", 0, (low + high) // 2 + 1) + 1
            start = max(start, low)
            if self._lower[start : start + len(word)] < word:
                low = self._lower.find(b"\n", start) + 1
            else:
                high = start
        while word and self._lower.startswith(word, low):
            yield low
            low = self._lower.find(b"\n", low) + 1

    def _rank(
        self, start: int, words: Sequence[bytes], needles: Sequence[bytes], query: Query
    ) -> tuple[int, int, bytes] | None:
        """How well a line fits, smaller is better; None if it does not."""
        line = self._lower[start : self._lower.find(b"\n", start)]
        for needle in needles:
            if needle not in line:
                return None
        filters = query.tags or query.tools or query.platform
        fields = line.split(b"\t")
        if fields[2] == b"blocked" or (filters and not _filtered(fields, query)):
            return None
        name = fields[0]
        return sum(_worth(word, name, fields) for word in words), len(name), name

    def _listed(self, start: int) -> Listed:
        return read_line(self._text[start : self._text.find(b"\n", start)])


def _filtered(fields: Sequence[bytes], query: Query) -> bool:
    _, _, _, platforms, tags, tools, _ = fields
    return (
        set(query.tags) <= set(tags.decode().split(" "))
        and all(_has_tool(tools.decode().split(" "), tool) for tool in query.tools)
        and (not query.platform or _short(query.platform) in platforms.split(b" "))
    )


def _has_tool(tools: Sequence[str], tool: str) -> bool:
    """`numpy` also means `pypi:numpy`."""
    return tool in tools or any(one.partition(":")[2] == tool for one in tools)


def _short(platform: str) -> bytes:
    return platform.removeprefix("linux/").encode()


def _worth(word: bytes, name: bytes, fields: Sequence[bytes]) -> int:
    if word == name:
        return 0
    if name.startswith(word):
        return 1
    if word in name:
        return 2 if b"-" + word + b"-" in b"-" + name + b"-" else 3
    return 4 if word in fields[4].split(b" ") or word in fields[5].split(b" ") else 6
