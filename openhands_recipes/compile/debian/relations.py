"""Relations between Debian packages: `libfoo (>= 2) | bar:any` as values (debian-policy, chapter 7).

Only what binary packages may say: no architecture lists, no build profiles.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from openhands_recipes.compile.debian.version import Operator, satisfies
from openhands_recipes.errors import ResolutionError

_RELATION = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9+.-]*)(?::(?P<qualifier>[a-z0-9-]+))?"
    r"\s*(?:\(\s*(?P<operator><<|<=|>=|>>|=|<|>)\s*(?P<version>[0-9A-Za-z][^\s()]*)\s*\))?",
    re.ASCII,
)
# Debian-policy 7.1: the obsolete single signs mean "or equal", not "strictly".
_OBSOLETE = {"<": "<=", ">": ">="}


@dataclass(frozen=True, slots=True)
class Relation:
    """A package by name, perhaps of certain versions, perhaps of a certain architecture.

    `qualifier` is what follows a colon: "any", "native", an architecture, or nothing.
    """

    name: str
    operator: Operator = ""
    version: str = ""
    qualifier: str = ""

    def accepts(self, version: str) -> bool:
        """Whether a version will do."""
        return satisfies(version, self.operator, self.version)

    def __str__(self) -> str:
        name = f"{self.name}:{self.qualifier}" if self.qualifier else self.name
        return f"{name} ({self.operator} {self.version})" if self.operator else name


Alternatives = tuple[Relation, ...]
"""One of these is enough; the first is the maintainer's favourite."""


@lru_cache(maxsize=1 << 15)
def parse_alternatives(text: str) -> Alternatives:
    """One comma-free piece of a relation field.

    Raises:
        ResolutionError: breaks the syntax.
    """
    return tuple(_parse_relation(piece.strip()) for piece in text.split("|"))


def parse_field(text: str) -> tuple[Alternatives, ...]:
    """A whole Depends or Pre-Depends field, in its order.

    Raises:
        ResolutionError: breaks the syntax.
    """
    return tuple(parse_alternatives(piece.strip()) for piece in text.split(",") if piece.strip())


def parse_flat(text: str) -> tuple[Relation, ...]:
    """A Conflicts, Breaks or Provides field, which knows no alternatives.

    Raises:
        ResolutionError: breaks the syntax.
    """
    return tuple(relation for group in parse_field(text) for relation in group)


def text_of(group: Alternatives) -> str:
    """A group as its field spells it."""
    return " | ".join(map(str, group))


def _parse_relation(text: str) -> Relation:
    found = _RELATION.fullmatch(text)
    if not found:
        raise ResolutionError(f"not a package relation: {text!r}")
    operator = found["operator"] or ""
    return Relation(
        name=found["name"],
        operator=cast("Operator", _OBSOLETE.get(operator, operator)),
        version=found["version"] or "",
        qualifier=found["qualifier"] or "",
    )
