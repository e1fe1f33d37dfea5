"""One level's Python packages as layers."""

from __future__ import annotations

from openhands_recipes.compile.pin import LockedLevel
from openhands_recipes.flows.packing import Packing
from openhands_recipes.flows.stack import Stack
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.platform import Platform


def add_python(
    shop: Workshop, stack: Stack, level: LockedLevel, platform: Platform, packing: Packing
) -> None:
    """Put the level's wheels on the stack."""
