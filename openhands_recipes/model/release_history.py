"""Released: one release with everything the ledger says of it; what the index is made from."""

from __future__ import annotations

from typing import NamedTuple

from openhands_recipes.model.release_record import ReleaseRecord, StateChange


class Released(NamedTuple):
    """A record with the state of now, and the changes that led there, in their order."""

    record: ReleaseRecord
    changes: tuple[StateChange, ...] = ()
