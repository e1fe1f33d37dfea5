"""What the ledger of releases says of versions, as the gate asks it."""

from __future__ import annotations

from functools import cached_property

from openhands_recipes.model.gate_states import KnownState
from openhands_recipes.ports.ledger import Ledger


class LedgerStates:
    """States by name and version: of several revisions the newest counts. Each recipe is read once."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[str, dict[str, KnownState]] = {}

    def state(self, name: str, version: str) -> KnownState | None:
        """A version's state, or None when it was never published."""
        return self._of(name).get(version)

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of a recipe that were ever published."""
        return tuple(self._of(name))

    def _of(self, name: str) -> dict[str, KnownState]:
        if name not in self._known:
            self._known[name] = {
                record.version: KnownState(
                    name=record.state.name, reason=record.state.reason, successor=record.state.successor
                )
                for record in self._open.releases(name)  # oldest revision first: the newest stays
            }
        return self._known[name]

    @cached_property
    def _open(self) -> Ledger:
        self._ledger.head()
        return self._ledger
