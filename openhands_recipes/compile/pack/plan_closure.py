"""Which store paths travel together as one layer: many small groups, so that a change moves little.

Store paths change more often than Debian packages, and never alone: whatever depends on a changed path
is another path. So the limits are lower than those of `plan`, and nothing may tip over: when a path
comes, goes or grows, no bucket but its own and at most a neighbour is cut differently. The biggest paths
travel alone. The others lie in binary trees over the hash of their package's name, one for each of a few
sizes; the leaf whose paths would move most bytes is split in two until all are small or there are enough.

Levels come one after the other: what an ancestor's closure holds is grouped as the ancestor groups it, so
that recipes share those layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from openhands_recipes.compile.pack.plan import MIB, Group, PartSize, alone, bits_of, keys_of

VERSION = 1
"""Belongs into the key of every image with a closure."""
BITS = 96
"""Of the hashes of a path's package, name and content: buckets are split by package first."""


class ClosureRules(NamedTuple):
    """The numbers behind a plan of a closure, in bytes of Nix archives."""

    target: int = 16 * MIB
    """A bucket that is larger is split, if there may be more."""
    floor: int = MIB
    """No half of a bucket is smaller."""
    cohorts: tuple[int, ...] = (MIB, 4 * MIB)
    """Below each of these sizes, paths have buckets of their own."""
    groups: int = 42
    """Layers of one image: with the Debian part below, and files above, there are at most 60."""


_DEFAULT = ClosureRules()
_Item = tuple[str, PartSize]


class _Leaf(NamedTuple):
    cost: int
    """Bytes that move when each of its paths changes once."""
    label: str
    size: int
    items: list[_Item]


def plan_levels(
    levels: Sequence[Sequence[PartSize]], rules: ClosureRules = _DEFAULT
) -> tuple[tuple[Group, ...], ...]:
    """The groups of each level's own paths, lowest level first.

    A level may have two thirds of the groups that lower ones left; so its plan knows nothing of its children.
    """
    left = rules.groups
    plans = []
    for parts in levels:
        groups = plan_closure(parts, rules._replace(groups=max(left * 2 // 3, 1)))
        left -= len(groups)
        plans.append(groups)
    return tuple(plans)


def plan_closure(parts: Sequence[PartSize], rules: ClosureRules = _DEFAULT) -> tuple[Group, ...]:
    """Split store paths into at most `rules.groups` groups, sorted by name, whatever order they come in.

    Every path lands in exactly one group.
    """
    ranked = sorted(parts, key=lambda part: (-part.installed_size, part.name, part.key))
    big = [part for part in ranked[: rules.groups // 2] if part.installed_size >= rules.target]
    small = [(bits_of(part), part) for part in ranked[len(big) :]]
    groups = [
        Group(f"small/{leaf.label or 'all'}", keys_of([part for _, part in leaf.items]))
        for leaf in _leaves(small, rules._replace(groups=rules.groups - len(big)))
    ]
    return tuple(sorted(groups + alone(big)))


def _leaves(items: list[_Item], rules: ClosureRules) -> list[_Leaf]:
    """Split the leaf that costs most, again and again."""
    growing = _cohorts(items, rules)
    done: list[_Leaf] = []
    while growing and len(growing) + len(done) < rules.groups:
        worst = max(growing)
        growing.remove(worst)
        halves = _halves(worst, rules.floor) if worst.size > rules.target else None
        if halves is None:
            done.append(worst)
        else:
            growing += halves
    return growing + done


def _cohorts(items: list[_Item], rules: ClosureRules) -> list[_Leaf]:
    """Paths of like size together: most paths are small, and a change of one must not move big ones."""
    if rules.groups <= len(rules.cohorts):
        return [_leaf("", items)] if items else []
    found: list[tuple[str, list[_Item]]] = []
    rest = items
    for limit in rules.cohorts:
        found.append((f"{limit // MIB}m-", [item for item in rest if item[1].installed_size < limit]))
        rest = [item for item in rest if item[1].installed_size >= limit]
    found.append(("", rest))
    leaves: list[_Leaf] = []
    carried: list[_Item] = []
    for label, members in found:
        leaf = _leaf(label, carried + members)
        carried = leaf.items if leaf.size < rules.floor else []
        leaves += [] if carried or not leaf.items else [leaf]
    if carried:
        last = leaves.pop() if leaves else _leaf("", [])
        leaves.append(_leaf(last.label, last.items + carried))
    return leaves


def _halves(leaf: _Leaf, floor: int) -> tuple[_Leaf, _Leaf] | None:
    """Cut by the first bit of the hash that leaves enough on both sides."""
    for depth in range(BITS):
        sides = [
            _leaf(leaf.label + bit, [item for item in leaf.items if item[0][depth] == bit]) for bit in "01"
        ]
        if min(side.size for side in sides) >= floor and all(side.items for side in sides):
            return sides[0], sides[1]
    return None


def _leaf(label: str, items: list[_Item]) -> _Leaf:
    size = sum(part.installed_size for _, part in items)
    return _Leaf(size * len(items), label, size, items)
