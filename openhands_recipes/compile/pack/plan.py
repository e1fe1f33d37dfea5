"""Which parts travel together as one layer: decided per level and source, from the parts alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from openhands_recipes.model.digest import Digest

MIB = 1 << 20


class PartSize(NamedTuple):
    """What the planner must know about a part."""

    key: Digest
    name: str
    source_name: str
    installed_size: int
    """Bytes its fragment takes."""


class Group(NamedTuple):
    """Parts that become one layer, in the order they are packed."""

    name: str
    keys: tuple[Digest, ...]


class LayerRules(NamedTuple):
    """The numbers behind a plan; any change of them must raise `VERSION`."""

    alone: int = 24 * MIB
    ceiling: int = 256 * MIB
    target: int = 64 * MIB
    floor: int = MIB
    groups: int = 6


VERSION = 1
"""Version of these rules, for the lock's `rules.layers`."""


def plan(parts: Sequence[PartSize], rules: LayerRules = LayerRules()) -> tuple[Group, ...]:  # noqa: B008 - frozen
    """Split the parts of one level and source into layer groups."""
    raise NotImplementedError
