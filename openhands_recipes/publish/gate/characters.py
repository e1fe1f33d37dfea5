"""Characters that make text look like other text: hidden ones, and letters borrowed from another script.

See Unicode UTS 39 and "Trojan Source" (CVE-2021-42574). Scripts are told by the first word of a character's
name, which is enough to notice a Cyrillic letter inside a Latin word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

WORD = re.compile(r"[^\W\d_]{2,}")
ALIKE = frozenset(
    {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "FULLWIDTH", "MATHEMATICAL"}
)
"""Scripts with letters that look like those of another one of them."""
KEPT = frozenset("\t\n\r")


def hidden_in(text: str) -> str | None:
    """The first character that is invisible or turns the direction of text."""
    if text.isascii():
        return next((char for char in text if _is_control(char)), None)
    return next(
        (
            char
            for char in text
            if _is_control(char) or unicodedata.category(char) in {"Cf", "Zl", "Zp", "Co", "Cs"}
        ),
        None,
    )


def _is_control(char: str) -> bool:
    return (char < " " and char not in KEPT) or "\x7f" <= char <= "\x9f"


def mixed_words(text: str) -> Iterator[str]:
    """Words with letters from more than one of the scripts that look alike."""
    if text.isascii():
        return
    for match in WORD.finditer(text):
        scripts = {unicodedata.name(char, "?").partition(" ")[0] for char in match[0]} & ALIKE
        if len(scripts) > 1 or scripts & {"FULLWIDTH", "MATHEMATICAL"}:
            yield match[0]


def line_of(text: str, part: str) -> int:
    """The line in which something stands first, counted from 1."""
    return text.count("\n", 0, text.find(part)) + 1
