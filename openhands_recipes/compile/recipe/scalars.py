"""What a plain YAML scalar is read as: YAML 1.2, core schema (section 10.3.2)."""

from __future__ import annotations

import re

NULL = re.compile(r"null|Null|NULL|~|")
TRUTH = re.compile(r"true|True|TRUE|false|False|FALSE")
NUMBER = re.compile(
    r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
    r"|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)


def is_not_text(text: str) -> bool:
    """Whether YAML 1.2 reads a plain scalar as null, a boolean or a number."""
    first = text[:1]
    if first not in _SUSPECT:
        return False
    return bool(NUMBER.fullmatch(text) or TRUTH.fullmatch(text) or NULL.fullmatch(text))


_SUSPECT = frozenset("0123456789+-.~nNtTfF") | {""}
