"""GitHub-flavoured Markdown with other people's words in it, none of which can become Markdown.

Whatever a recipe says stands in a code span (CommonMark 0.31, 6.1): within it there are no links, mentions,
images, HTML or entities, and its fence is longer than any run of backticks inside.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LIMIT = 65_536
"""Characters GitHub takes in one comment."""
LONGEST = 300
"""Characters of one quotation."""
TICKS = re.compile(r"`+")
BLANK = re.compile(r"\s+")


def code(text: str, *, longest: int = LONGEST) -> str:
    """A text as a code span on one line; what cannot be seen is written as its number."""
    shown = "".join(_visible(sign) for sign in BLANK.sub(" ", text)).strip()
    if len(shown) > longest:
        shown = shown[: longest - 1] + "…"
    if not shown:
        return "*empty*"
    fence = "`" * (max((len(run) for run in TICKS.findall(shown)), default=0) + 1)
    pad = " " if shown[0] == "`" or shown[-1] == "`" else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def cell(text: str) -> str:
    """The same inside a table, where a bar would end the cell before the span does."""
    return code(text.replace("|", "¦"), longest=80)


def _visible(sign: str) -> str:
    kind = unicodedata.category(sign)
    return f"\\u{{{ord(sign):x}}}" if kind in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} else sign


@dataclass(frozen=True)
class Section:
    """A heading and lines below it, of which any number from the end may be left out."""

    title: str
    lines: Sequence[str]
    head: Sequence[str] = ()
    """Lines that stand before all others, such as a table's header."""


def fit(opening: str, sections: Iterable[Section], *, limit: int = LIMIT) -> str:
    """One document of at most `limit` characters; sections come first that matter most."""
    reserve = 200
    text = opening.rstrip("\n") + "\n"
    for section in sections:
        start = f"\n### {section.title}\n\n" + "".join(f"{line}\n" for line in section.head)
        kept: list[str] = []
        room = limit - reserve - len(text) - len(start)
        for line in section.lines:
            room -= len(line) + 1
            if room < 0:
                break
            kept.append(line)
        left = len(section.lines) - len(kept)
        if not kept and len(text) + len(start) > limit - reserve:
            return text + "\nMore is in the verdict as JSON (`ohr gate --format json`).\n"
        text += start + "".join(f"{line}\n" for line in kept)
        if left:
            return text + f"\n{left:,} lines more are in the verdict as JSON (`ohr gate --format json`).\n"
    return text
