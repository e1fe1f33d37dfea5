"""The ledger of releases: a Git branch with one record per release and one per change of state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # pydantic takes 0.15 s to load
    from openhands_recipes.model.release_record import ReleaseRecord, StateChange


@dataclass(frozen=True)
class SignedChange:
    """A change of state and the DSSE envelope (JSON) that carries it."""

    change: StateChange
    envelope: bytes


class Ledger(Protocol):
    """Append-only: nothing is ever changed or removed. Heads are opaque; None is an empty ledger.

    Records come with their state of now, which is what their last change says. The ledger itself does
    not verify signatures; its readers do (`changes`). Records of a newer schema are left out, with a
    warning.
    """

    def head(self) -> str | None:
        """The newest state of the ledger, asked for now; the other methods read this one until asked again.

        Raises:
            LedgerError: it cannot be reached.
        """

    def names(self) -> tuple[str, ...]:
        """Every recipe that was ever released, sorted."""

    def records(self) -> Iterator[ReleaseRecord]:
        """Every release, by name, in the order of their paths."""

    def releases(self, name: str) -> tuple[ReleaseRecord, ...]:
        """The releases of one recipe, oldest version first by precedence, then by revision."""

    def record(self, name: str, version: str, revision: int) -> ReleaseRecord | None:
        """One release, or None."""

    def changes(self, name: str) -> tuple[SignedChange, ...]:
        """All changes of state of one recipe's releases, by release, then by number."""

    def names_changed(self, since: str | None) -> tuple[str, ...]:
        """Recipes with something new since an older head; all of them when that head is None or unknown."""

    def append(
        self,
        records: Sequence[ReleaseRecord],
        changes: Sequence[SignedChange] = (),
        *,
        expected: str | None,
        reason: str,
    ) -> str:
        """Add to the ledger if its head is still the expected one; the new head.

        Raises:
            LedgerConflictError: it is not, or a record of that place exists: read again, decide again.
            LedgerError: it cannot be written.
        """
