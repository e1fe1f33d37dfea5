"""Paths: which of them a glob means, and what may be wrong with one."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable

from openhands_recipes.publish.gate.characters import hidden_in

PARTS = re.compile(r"\*\*/|\*\*|\*|\?|[^*?]+")
MEANING = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
MOST = 200
"""Characters in a path: what every system can check out below a folder of its own."""
DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices."""


@functools.cache
def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(
        "".join(MEANING.get(part) or re.escape(part) for part in PARTS.findall(glob)), re.DOTALL
    )


def matches(glob: str, path: str) -> bool:
    """Whether a glob means a path: `*` and `?` stay within a folder, `**` crosses folders."""
    return _pattern(glob).fullmatch(path) is not None


def escape_problem(path: str) -> str | None:
    """How a path could lead out of its folder, or be taken for something of Git's or the system's."""
    parts = path.split("/")
    if len(path) > MOST:
        return f"is longer than {MOST} characters"
    return next((words for holds, words in _ESCAPES if holds(path, parts)), None)


def _is_of_git(parts: list[str]) -> bool:
    folded = [unicodedata.normalize("NFKC", part).lower().rstrip(". ") for part in parts]
    return any(part in {".git", ".gitmodules"} or re.fullmatch(r"git~[0-9]+", part) for part in folded)


_ESCAPES: tuple[tuple[Callable[[str, list[str]], bool], str], ...] = (
    (lambda _, parts: "" in parts, "has an empty part"),
    (lambda _, parts: any(part in {".", ".."} for part in parts), "leads out of its folder"),
    (lambda _, parts: _is_of_git(parts), "would be taken for a file of Git's"),
    (lambda path, _: "\\" in path or ":" in path, "has a character that other systems read as a separator"),
    (lambda _, parts: any(map(DEVICES.fullmatch, parts)), "is the name of a device on Windows"),
    (
        lambda _, parts: any(part != part.strip() or part.endswith(".") for part in parts),
        "has a part that begins or ends with a space or ends with a dot",
    ),
)


def character_problem(path: str) -> str | None:
    """Which character in a path is not what it seems to be."""
    if any("\ud800" <= char <= "\udfff" for char in path):
        return "is not UTF-8"
    if hidden := hidden_in(path) or next((char for char in path if char < " " or char == "\x7f"), None):
        return f"has the character {named(hidden)}"
    if unicodedata.normalize("NFC", path) != path:
        return "is not in Unicode's composed form (NFC)"
    foreign = next((char for char in path if char > "~"), None)
    return f"has {named(foreign)}, which is not ASCII" if foreign else None


def named(char: str) -> str:
    """A character as people can tell it from others: `U+202E RIGHT-TO-LEFT OVERRIDE`."""
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".strip()


def shown(path: str) -> str:
    """A path as it may be printed: nothing in it can move a cursor or hide."""
    return path.encode("unicode_escape").decode() if character_problem(path) else path
