"""Recipes and locks of a released lineage in one blob of the index: what others need to extend it.

    {"schema": 1, "levels": [{"name": ..., "recipe": text, "lock": text}, ...]}      lowest first, packed

The release's own lock pins the locks of all its ancestors, so one digest tells whether a blob is right.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.model.index import malformed
from openhands_recipes.model.kept import KeptLevel
from openhands_recipes.publish.index.codec import json_of, packed_json, unpacked

ReadLevel = Callable[[str, Digest], KeptLevel | None]
"""A recipe whose lock has this digest, as it was released; None when it is not to be had any more."""


def lineage_to_keep(name: str, lock: Digest, read: ReadLevel) -> tuple[KeptLevel, ...] | None:
    """A release with all it builds on, lowest first.

    None if a part of it is not to be had, or belongs to another registry: names are those of one registry.
    """
    own = read(name, lock)
    if own is None:
        return None
    levels = []
    for parent, digest in _parents(own.lock, name):
        level = None if "/" in parent else read(parent, digest)
        if level is None:
            return None
        levels.append(level)
    return (*levels, own)


def write_kept(levels: tuple[KeptLevel, ...]) -> bytes:
    """The blob; the same levels give the same bytes."""
    written = [
        {"name": level.name, "recipe": level.recipe.decode(), "lock": level.lock.decode()} for level in levels
    ]
    return packed_json({"schema": 1, "levels": written})


def read_kept(content: bytes, *, name: str, lock: Digest) -> tuple[KeptLevel, ...]:
    """The levels of a blob, seen to be the lineage of the release that has this lock.

    Raises:
        VerificationError: they are not.
    """
    value = json_of(unpacked(content, where=name), where=name)
    try:
        levels = tuple(
            KeptLevel(str(one["name"]), str(one["recipe"]).encode(), str(one["lock"]).encode())
            for one in value["levels"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise malformed(f"what the index keeps of '{name}' is not understood ({error})") from error
    found = {level.name: digest_of(level.lock) for level in levels}
    wanted = [*(_parents(levels[-1].lock, name) if levels else ()), (name, lock)]
    if list(found.items()) != wanted or len(found) != len(levels) or any("/" in one for one in found):
        raise malformed(f"what the index keeps of '{name}' is not the lineage of its lock", where=lock)
    return levels


def _parents(lock: bytes, name: str) -> list[tuple[str, Digest]]:
    """What a lock says of its parents, lowest first."""
    try:
        value: Any = json.loads(lock)
        return [(str(parent["name"]), Digest(str(parent["lock"]))) for parent in value["parents"]]
    except (ValueError, KeyError, TypeError) as error:
        raise malformed(f"the lock of '{name}' is not understood ({error})") from error
