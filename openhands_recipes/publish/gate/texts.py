"""Texts and their repair: the changes `ohr gate --fix` makes, each with one possible outcome.

Repairs keep what a document says; whoever applies one compares the meaning before and after.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from openhands_recipes.model.recipe import Recipe

SCHEMA_LINE = "# yaml-language-server: $schema=../../schema/recipe.schema.json"
KEY = re.compile(r"^([a-z_]+):", re.MULTILINE)
_KEYS = [field.alias or name for name, field in Recipe.model_fields.items() if name != "path"]
ORDER: tuple[str, ...] = (*_KEYS[: _KEYS.index("environment")], "path", *_KEYS[_KEYS.index("environment") :])
"""Top-level keys in the order in which they are written: the schema's, but `path` before `environment`."""
BLOCK_SCALAR = re.compile(r"[|>][-+0-9]*\s*(#.*)?$")


def as_text(content: bytes) -> str | None:
    """The text of a file, or None when it is not text."""
    if b"\0" in content:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def is_nfc(text: str) -> bool:
    """Whether the text is in Unicode's composed form."""
    return text.isascii() or unicodedata.is_normalized("NFC", text)


def repaired(content: bytes) -> bytes:
    """The same text with plain line ends, composed characters and an end of its last line."""
    text = as_text(content)
    if text is None:
        return content
    plain = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return (plain.rstrip("\n") + "\n").encode() if plain else content


def canonical(text: str) -> str:
    """A recipe's text in canonical form: schema line, order of keys, no stray spaces; comments stay.

    A comment belongs to the key below it. Text whose layout is not one key a paragraph stays as it is.
    """
    lines = [line.rstrip() for line in text.strip("\n").split("\n")]
    head = [line for line in lines if line != SCHEMA_LINE]
    if _has_loose_lines(head):
        return "\n".join([SCHEMA_LINE, *head]) + "\n"
    blocks = _blocks(head)
    ranks = {key: rank for rank, key in enumerate(ORDER)}
    ordered = sorted(blocks, key=lambda block: ranks.get(block[0], -1 if not block[0] else len(ranks)))
    body = [line for _, block in ordered for line in block]
    return "\n".join([SCHEMA_LINE, *body]).rstrip("\n") + "\n"


def _has_loose_lines(lines: Sequence[str]) -> bool:
    """Whether something at the left margin is neither a key nor a comment."""
    return any(line and line[0] not in " #" and not KEY.match(line) for line in lines)


def _blocks(lines: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Each top-level key with its lines and the comments above it; what comes first has no key."""
    blocks: list[tuple[str, list[str]]] = []
    waiting: list[str] = []
    for line in lines:
        if match := KEY.match(line):
            blocks.append((match[1], [*waiting, line]))
            waiting = []
        elif line.startswith("#") or not blocks:
            waiting.append(line)
        else:
            blocks[-1][1].extend([*waiting, line])
            waiting = []
    if waiting:
        blocks.append(("", waiting)) if not blocks else blocks[-1][1].extend(waiting)
    return blocks


def canonical_problems(text: str) -> tuple[str, ...]:
    """What is not canonical about a recipe's text, the schema line aside."""
    lines = text.split("\n")
    problems = [f"line {at} ends with spaces" for at, line in enumerate(lines, 1) if line != line.rstrip()][
        :1
    ]
    keys = [key for key in KEY.findall(text) if key in ORDER]
    expected = sorted(keys, key=ORDER.index)
    if keys != expected and not _has_loose_lines(lines):
        first = next(found for found, wanted in zip(keys, expected, strict=True) if found != wanted)
        problems.append(f"'{first}' does not stand where it belongs ({', '.join(expected)})")
    if text.strip("\n") + "\n" != text and text.endswith("\n"):
        problems.append("there are empty lines at its beginning or end")
    return tuple(problems)


def has_schema_line(text: str) -> bool:
    """Whether the first line tells editors the schema."""
    return text.split("\n", 1)[0].rstrip() == SCHEMA_LINE
