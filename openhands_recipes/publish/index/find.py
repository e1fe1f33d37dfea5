"""Search: every word must occur in a recipe's line; what is in the name counts most.

Looks through the bundle's text itself: a hundred thousand recipes are 13 MB, which takes milliseconds, while
a database would first have to be built. Common words are looked at as far as a limit, best places first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from openhands_recipes.model.index import Listed, malformed
from openhands_recipes.publish.index.lists import BUNDLE, read_line

LOOKED_AT = 4000
"""Lines judged for one query, in each kind of place."""
_SAMPLES, _SAMPLE = 8, 1 << 16
_Place = tuple[int, int]
"""Where a line begins and ends."""


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
        self._original = text
        self._text = text.lower()
        self._size = len(text)

    def __len__(self) -> int:
        """How many recipes it lists."""
        return self._text.count(b"\n") - 1

    def find(self, query: Query, *, limit: int = 20) -> Found:
        """The best recipes, those with the words in their names first; then by name."""
        wanted = _Wanted(query)
        rarest = min(wanted.needles, key=self._commonness, default=b"")
        ranked: dict[_Place, _Rank] = {}
        if wanted.needles == wanted.words == (rarest,):
            self._gather(ranked, self._named(rarest), wanted)
            if len(ranked) > limit:  # nothing else is better than a name that begins so
                return self._found(ranked, limit, more=True)
        cut = self._gather(ranked, self._lines_with(rarest or b"\n"), wanted)
        if cut:  # then also look where a word counts more
            self._gather(ranked, self._named(rarest), wanted)
            self._gather(ranked, self._lines_with(b"-" + rarest), wanted)
        return self._found(ranked, limit, more=cut)

    def _gather(self, ranked: dict[_Place, _Rank], places: Iterable[_Place], wanted: _Wanted) -> bool:
        """Judge lines; whether there are too many of them."""
        for looked, place in enumerate(places):
            if looked == LOOKED_AT:
                return True
            if place not in ranked and (rank := wanted.rank(self._text[place[0] : place[1]])):
                ranked[place] = rank
        return False

    def _found(self, ranked: dict[_Place, _Rank], limit: int, *, more: bool) -> Found:
        best = sorted(ranked.items(), key=lambda item: item[1])
        hits = tuple(self._listed(place) for place, _ in best[:limit])
        return Found(hits, more=more or len(best) > limit)

    def _commonness(self, needle: bytes) -> tuple[int, int]:
        """How often a needle is met in samples of the text."""
        starts = range(0, self._size, self._size // _SAMPLES + 1)
        met = sum(self._text.count(needle, at, min(at + _SAMPLE, self._size)) for at in starts)
        return met, -len(needle)

    def _lines_with(self, pattern: bytes) -> Iterator[_Place]:
        """Where the lines are that hold a pattern; each once. The header is no line."""
        text, size = self._text, self._size
        at = text.find(b"\n")
        while (at := text.find(pattern, at, size)) >= 0:
            start = text.rfind(b"\n", 0, at + 1) + 1
            if start >= size:
                return
            at = text.find(b"\n", start)
            yield start, at

    def _named(self, word: bytes) -> Iterator[_Place]:
        """Where the lines are whose name begins with a word: lines are sorted by name."""
        text, high = self._text, self._size
        low = text.find(b"\n") + 1
        while low < high:
            start = max(low, text.rfind(b"\n", 0, (low + high) // 2 + 1) + 1)
            if text[start : start + len(word)] < word:
                low = text.find(b"\n", start) + 1
            else:
                high = start
        while word and low < self._size and text.startswith(word, low):
            end = text.find(b"\n", low)
            yield low, end
            low = end + 1

    def _listed(self, place: _Place) -> Listed:
        return read_line(self._original[place[0] : place[1]])


_Rank = tuple[int, int, bytes]


class _Wanted:
    """A query as lines are judged by it."""

    def __init__(self, query: Query) -> None:
        self.words = _small(query.words)
        self._tags, self._tools = _small(query.tags), _small(query.tools)
        self._platform = query.platform.removeprefix("linux/").encode()
        filters = (*self._tags, *self._tools, self._platform)
        self.needles = self.words + tuple(one for one in filters if one)

    def rank(self, line: bytes) -> _Rank | None:
        """How well a line fits, smaller is better; None if it does not.

        Raises:
            VerificationError: it is no line of a bundle.
        """
        for needle in self.needles:
            if needle not in line:
                return None
        fields = line.split(b"\t")
        if len(fields) != len(Listed._fields):
            raise malformed("a line of the search bundle is not understood", where=BUNDLE)
        if fields[2] == b"blocked" or not self._passes(fields):
            return None
        name = fields[0]
        return sum(_worth(word, name, fields) for word in self.words), len(name), name

    def _passes(self, fields: Sequence[bytes]) -> bool:
        """Whether the filters hold, which mean whole words; `numpy` also means `pypi:numpy`."""
        _, _, _, platforms, tags, tools, _ = fields
        if self._tags and not set(self._tags) <= set(tags.split(b" ")):
            return False
        if self._tools:
            known = tools.split(b" ")
            known += [tool.partition(b":")[2] for tool in known]
            if not set(self._tools) <= set(known):
                return False
        return not self._platform or self._platform in platforms.split(b" ")


def _small(words: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(word.encode().lower() for word in words)


def _worth(word: bytes, name: bytes, fields: Sequence[bytes]) -> int:
    if word == name:
        return 0
    if name.startswith(word):
        return 1
    if word in name:
        return 2 if b"-" + word + b"-" in b"-" + name + b"-" else 3
    return 4 if word in fields[4].split(b" ") or word in fields[5].split(b" ") else 6
