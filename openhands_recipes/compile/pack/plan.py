"""Which parts travel together as one layer: decided per level and source, from the parts alone.

Big parts travel alone. The others fall into buckets by a hash of their source package's name, because
packages of one source change together. Buckets are leaves of a binary tree over the hash's bits: one
that grows too big splits in two, and no other bucket notices. So a changed part changes one layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from openhands_recipes.model.digest import Digest, hex_of

MIB = 1 << 20

VERSION = 1
"""Version of these rules, for the lock's `rules.layers`; any change of a plan must raise it."""


class PartSize(NamedTuple):
    """What the planner must know about a part."""

    key: Digest
    name: str
    source_name: str
    installed_size: int
    """Bytes its fragment takes."""


class Group(NamedTuple):
    """Parts that become one layer, in the order they are packed: by name."""

    name: str
    """Unique in its plan: the name of a part that is alone, or `small/` and the hash bits of its parts."""
    keys: tuple[Digest, ...]


class LayerRules(NamedTuple):
    """The numbers behind a plan, in bytes; `groups` is how many of them one plan may have."""

    alone: int = 24 * MIB
    ceiling: int = 256 * MIB
    target: int = 64 * MIB
    floor: int = MIB
    groups: int = 6


_DEFAULT = LayerRules()
_Leaf = tuple[str, list[PartSize]]


def plan(parts: Sequence[PartSize], rules: LayerRules = _DEFAULT) -> tuple[Group, ...]:
    """Split the parts of one level and source into layer groups, sorted by name.

    Every part lands in exactly one group, in whatever order they come. A group passes the ceiling only
    where more than `rules.groups` groups would be needed otherwise: the number of an image's layers is
    limited, their size is not.
    """
    least = rules.alone
    while sum(part.installed_size >= least for part in parts) > max(rules.groups // 2, 1):
        least *= 2
    big = [part for part in parts if part.installed_size >= least]
    small = [(bits_of(part), part) for part in parts if part.installed_size < least]
    limit = _leaf_limit(sum(part.installed_size for _, part in small), rules)
    while len(leaves := _leaves(small, 0, limit, rules.floor)) + len(big) > rules.groups and len(leaves) > 1:
        limit *= 2
    groups = [Group(f"small/{bits or 'all'}", keys_of(leaf)) for bits, leaf in leaves]
    return tuple(sorted(groups + alone(big)))


def _leaf_limit(total: int, rules: LayerRules) -> int:
    """How big a bucket may get: the target, doubled until two such buckets hold everything."""
    limit = rules.target
    while limit < rules.ceiling and limit * 2 < total:
        limit *= 2
    return limit


def _leaves(parts: list[tuple[str, PartSize]], depth: int, limit: int, floor: int) -> list[_Leaf]:
    """The leaves below one node of the tree; a side too small for a layer joins its neighbour's first."""
    if not parts:
        return []
    members = [part for _, part in parts]
    if sum(part.installed_size for part in members) <= limit or depth == len(parts[0][0]):
        return [(parts[0][0][:depth], members)]
    sides = [[item for item in parts if item[0][depth] == bit] for bit in "01"]
    sizes = [sum(part.installed_size for _, part in side) for side in sides]
    if min(sizes) >= floor:
        return [leaf for side in sides for leaf in _leaves(side, depth + 1, limit, floor)]
    light, heavy = sides if sizes[0] < sizes[1] else reversed(sides)
    (bits, first), *others = _leaves(heavy, depth + 1, limit, floor)
    return [(bits, first + [part for _, part in light]), *others]


def bits_of(part: PartSize) -> str:
    """The way to a part's leaf: its source decides, then its name, then its bytes."""
    words = (part.source_name, part.name, part.key)
    return "".join(f"{int.from_bytes(sha256(word.encode()).digest()[:4], 'big'):032b}" for word in words)


def alone(parts: list[PartSize]) -> list[Group]:
    """A group for each of some parts, named after it."""
    names = [part.name for part in parts]
    return [
        Group(
            part.name if names.count(part.name) == 1 else f"{part.name}-{hex_of(part.key)[:12]}", (part.key,)
        )
        for part in parts
    ]


def keys_of(parts: list[PartSize]) -> tuple[Digest, ...]:
    """The keys of some parts in the order they are packed."""
    return tuple(part.key for part in sorted(parts, key=lambda part: (part.name, part.key)))
