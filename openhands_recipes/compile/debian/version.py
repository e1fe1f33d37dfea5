"""Debian versions: their order, as deb-version(7) defines it.

Written here although debian-inspector is at hand: its parser refuses versions that end in a tilde or a
plus sign, and a `(>= 1.2~)` stands in tens of thousands of relations of one release. A key that sorts
also lets the solver compare cached tuples instead of walking two strings each time. The tests hold this
module to what debian-inspector (where it accepts the version) and dpkg itself say.

It does not judge whether a version is good style, only how it sorts.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from openhands_recipes.errors import ResolutionError

Operator = Literal["", "<<", "<=", "=", ">=", ">>"]
SortKey = tuple[int, tuple[str | int, ...], tuple[str | int, ...]]

# A colon may stand in the upstream version only where an epoch comes before it.
_VERSION = re.compile(r"(?:([0-9]{1,9}):([A-Za-z0-9.+~:-]+)|([A-Za-z0-9.+~-]+))", re.ASCII)
_DIGITS = re.compile(r"([0-9]+)")
_END = "\x02"
# `~` before the end of a part, the end before letters, letters before everything else.
_ORDER = {ord("~"): "\x01"} | {ord(sign): chr(256 + ord(sign)) for sign in "+-.:"}


@lru_cache(maxsize=1 << 16)
def sort_key(version: str) -> SortKey:
    """A key that orders versions as dpkg does; versions dpkg calls equal have equal keys.

    Raises:
        ResolutionError: not a Debian version.
    """
    found = _VERSION.fullmatch(version)
    if not found:
        raise ResolutionError(f"not a Debian version: {version!r}")
    upstream, hyphen, revision = (found[2] or found[3]).rpartition("-")
    if not hyphen:
        upstream, revision = revision, ""
    return int(found[1] or 0), _part_key(upstream), _part_key(revision)


def _part_key(part: str) -> tuple[str | int, ...]:
    """Text and numbers by turns, closed so that a missing number counts as zero."""
    pieces = _DIGITS.split(part)
    key: list[str | int] = [
        int(piece) if position % 2 else piece.translate(_ORDER) + _END
        for position, piece in enumerate(pieces)
    ]
    if len(pieces) == 1 or pieces[-1]:
        key += [0, _END]
    return tuple(key)


def satisfies(version: str, operator: Operator, wanted: str) -> bool:
    """Whether a version stands in a relation to another; the empty operator accepts every version."""
    match operator:
        case "":
            return True
        case "<<":
            return sort_key(version) < sort_key(wanted)
        case "<=":
            return sort_key(version) <= sort_key(wanted)
        case "=":
            return sort_key(version) == sort_key(wanted)
        case ">=":
            return sort_key(version) >= sort_key(wanted)
        case ">>":
            return sort_key(version) > sort_key(wanted)


def upstream_of(version: str) -> str:
    """The version its authors gave: without Debian's epoch and revision."""
    without_epoch = version.partition(":")[2] or version
    return without_epoch.rpartition("-")[0] or without_epoch
