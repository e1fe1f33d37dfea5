"""The part of a lock that comes from language registries."""

from __future__ import annotations

from collections.abc import Sequence

from openhands_recipes.compile.pin import LockedLevel
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.lock import Lock


def lock_languages(shop: Workshop, composed: Composed, ancestors: Sequence[LockedLevel], lock: Lock) -> Lock:
    """The lock with the wheels and npm packages the level adds."""
    return lock
