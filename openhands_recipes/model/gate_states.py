"""What the gate needs to know of a published version."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from openhands_recipes.model.base import Model


class KnownState(Model):
    """Whether a version may be built on, and what to use instead."""

    name: Literal["active", "deprecated", "yanked", "blocked"]
    reason: str | None = None
    successor: str | None = None


class KnownStates(Model):
    """States by `name@version`, as a file may hand them in."""

    states: dict[str, KnownState] = Field(default_factory=dict)

    def state(self, name: str, version: str) -> KnownState | None:
        """A version's state, or None when nothing is known of it."""
        return self.states.get(f"{name}@{version}")

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of a recipe that were ever published."""
        return tuple(sorted(v for n, _, v in (key.rpartition("@") for key in self.states) if n == name))
