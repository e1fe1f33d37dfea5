"""`ohr deprecate`, `yank`, `block`: another state by one more signed record; nothing is deleted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from openhands_recipes.errors import LedgerConflictError
from openhands_recipes.model.release_record import (
    ReleaseRecord,
    State,
    StateChange,
    StateName,
    parse_identity,
)
from openhands_recipes.ports import Clock, Progress, SignedChange
from openhands_recipes.ports.ledger import Ledger
from openhands_recipes.ports.signer import Signer
from openhands_recipes.publish.withdrawal import (
    change_of,
    check_successor,
    chosen,
    next_states,
    statement_of,
)

log = logging.getLogger(__name__)

ATTEMPTS = 20


@dataclass(frozen=True)
class WithdrawDoors:
    """What a withdrawal needs of the world."""

    ledger: Ledger
    signer: Signer
    actor: int | str | None
    progress: Progress
    clock: Clock
    refresh_index: Callable[[Sequence[str]], None] | None = None


@dataclass(frozen=True)
class Withdrawal:
    """What is to happen to a release, and why."""

    release: str
    """`NAME@VERSION` for all revisions, `NAME@VERSION-rN` for one."""
    state: StateName
    reason: str
    successor: str | None = None


def withdraw(doors: WithdrawDoors, wanted: Withdrawal) -> tuple[ReleaseRecord, ...]:
    """Change the state of releases; those it changed, as they are now. None where nothing was to be done.

    Raises:
        ReleaseError: no such release, an impossible step, or the newest version would go without successor.
        LedgerError: the ledger could not be written.
    """
    name, _, _ = parse_identity(wanted.release)
    with doors.progress.stage("ledger"):
        changed = _append(doors, name, wanted)
    if doors.refresh_index is not None:
        with doors.progress.stage("index"):
            doors.refresh_index([name])
    return changed


def _append(doors: WithdrawDoors, name: str, wanted: Withdrawal) -> tuple[ReleaseRecord, ...]:
    for _ in range(ATTEMPTS):
        head = doors.ledger.head()
        targets, state = _decide(doors, name, wanted)
        if not targets:
            return ()
        changes = [_signed(doors, change) for change in _numbered(doors.ledger, name, targets, state)]
        verb = {"deprecated": "Deprecate", "yanked": "Yank", "blocked": "Block"}.get(state.name, state.name)
        try:
            reason = f"{verb} {wanted.release}: {wanted.reason}"
            doors.ledger.append([], changes, expected=head, reason=reason)
        except LedgerConflictError as error:
            log.info("%s; looking again", error.message)
        else:
            return tuple(target.with_state(state) for target in targets)
    raise LedgerConflictError(f"{ATTEMPTS} other publishers were faster", hint="run it again")


def _decide(doors: WithdrawDoors, name: str, wanted: Withdrawal) -> tuple[tuple[ReleaseRecord, ...], State]:
    known = doors.ledger.releases(name)
    targets = chosen(known, wanted.release)
    if wanted.successor is not None:
        other, _, _ = parse_identity(wanted.successor)
        check_successor(doors.ledger.releases(other), wanted.successor, targets)
    state = State(
        name=wanted.state,
        since=doors.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        reason=wanted.reason,
        successor=wanted.successor,
        by=doors.actor,
    )
    return next_states(known, targets, state), state


def _numbered(ledger: Ledger, name: str, targets: Sequence[ReleaseRecord], state: State) -> list[StateChange]:
    made = [one.change for one in ledger.changes(name)]
    return [
        change_of(target, state, number=1 + sum(_about(change, target) for change in made))
        for target in targets
    ]


def _about(change: StateChange, record: ReleaseRecord) -> bool:
    return (change.version, change.revision) == (record.version, record.revision)


def _signed(doors: WithdrawDoors, change: StateChange) -> SignedChange:
    return SignedChange(change, doors.signer.bundle(statement_of(change).to_bytes()))
