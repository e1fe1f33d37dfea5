"""Version ranges as npm writes them: what they allow, and whether several can hold at once.

A comma may stand for a space (`>=1.2,<2`), so that ranges fit where spaces are not allowed. Ranges are
read by the `semantic_version` library; versions with fewer than three numbers are filled up with zeros.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

from semantic_version import NpmSpec, Version

SPACE_AFTER_OPERATOR = re.compile(r"([<>=^~])\s+")
RANGE = re.compile(r"[0-9A-Za-z.^~<>=|*+\- ]+")
HINT = 'write ">=13", "^1.2", "~1.2.3", "1.x" or ">=1.2,<2"'


@functools.cache
def parse_range(text: str) -> NpmSpec:
    """A version range.

    Raises:
        ValueError: the text is not one.
    """
    normal = " ".join(SPACE_AFTER_OPERATOR.sub(r"\1", text.replace(",", " ")).split())
    if not RANGE.fullmatch(normal):
        raise ValueError(f"not a version range: {text!r}")
    return NpmSpec(normal)


@functools.cache
def version_of(text: str) -> Version:
    """A version or version stream as a semantic version: `3.13` is 3.13.0, `1.2.3.4` is 1.2.3.

    Raises:
        ValueError: it does not begin with a number.
    """
    return Version.coerce(text)


@functools.cache
def allows(range_text: str, version: str) -> bool:
    """Whether a version lies in a range; both are known to be well-formed."""
    return bool(parse_range(range_text).match(version_of(version)))


@functools.cache
def can_hold(ranges: frozenset[str]) -> bool:
    """Whether some version lies in all of the ranges.

    A range is a union of intervals, so if any version does, then the smallest one that does is 0.0.0,
    a bound of some range, or the version right after a bound.
    """
    specs = [parse_range(r) for r in ranges]
    bounds = set(itertools.chain.from_iterable(_bounds(spec.clause) for spec in specs))
    candidates = {Version("0.0.0")} | bounds | {bound.next_patch() for bound in bounds}
    return any(all(spec.match(version) for spec in specs) for version in candidates)


def intersection(ranges: Sequence[str]) -> str:
    """Several ranges as one.

    `||` binds weaker than a space, so alternatives are multiplied out.
    """
    product = [""]
    for range_text in ranges:
        choices = [choice.strip().replace(",", " ") for choice in range_text.split("||")]
        product = [f"{left} {choice}".strip() for left in product for choice in choices]
    return " || ".join(product)


def _bounds(clause: object) -> Iterator[Version]:
    """Every version a parsed range mentions."""
    parts: Iterable[object] = getattr(clause, "clauses", ())
    for part in parts:
        yield from _bounds(part)
    target = getattr(clause, "target", None)
    if isinstance(target, Version):
        yield target
