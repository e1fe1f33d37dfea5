"""Fragments from entries we made or captured ourselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO

from openhands_recipes.model.fragment import Entry, Fragment
from openhands_recipes.ports import Content


def build_fragment(entries: Iterable[tuple[Entry, Content]], sink: IO[bytes], key: str) -> Fragment:
    """Write entries as tar bytes; missing parent folders are added (root, 0755)."""
    raise NotImplementedError
