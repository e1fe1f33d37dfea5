"""What a change of a release's state must satisfy, and what it becomes."""

from __future__ import annotations

from collections.abc import Sequence

from openhands_recipes.errors import ReleaseError
from openhands_recipes.model.attestation import STATE_PREDICATE, Statement
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.release_record import (
    STATES,
    ReleaseRecord,
    State,
    StateChange,
    parse_identity,
)
from openhands_recipes.publish.revision import latest


def chosen(known: Sequence[ReleaseRecord], text: str) -> tuple[ReleaseRecord, ...]:
    """The releases meant by `NAME@VERSION[-rN]`, by revision.

    Raises:
        ReleaseError: there is none.
    """
    name, version, revision = parse_identity(text)
    found = [
        record
        for record in known
        if (record.name, record.version) == (name, version) and revision in (None, record.revision)
    ]
    if not found:
        there = ", ".join(record.identity for record in known[-5:])
        raise ReleaseError(
            f"there is no release {text}",
            hint=f"known: {there}" if there else f"'{name}' was never released",
            code="OHR408",
        )
    return tuple(sorted(found, key=lambda record: record.revision))


def check_successor(known: Sequence[ReleaseRecord], successor: str, gone: Sequence[ReleaseRecord]) -> None:
    """Make sure that what people are sent to can be used.

    Raises:
        ReleaseError: it was never released, is itself withdrawn, or is what is being withdrawn.
    """
    leaving = {record.identity for record in gone}
    usable = [
        record
        for record in chosen(known, successor)
        if record.state.name in ("active", "deprecated") and record.identity not in leaving
    ]
    if not usable:
        raise ReleaseError(
            f"{successor} cannot be the successor: it is withdrawn",
            hint="name a release that is active",
            code="OHR409",
        )


def next_states(
    known: Sequence[ReleaseRecord], targets: Sequence[ReleaseRecord], state: State
) -> tuple[ReleaseRecord, ...]:
    """Those targets that are not in the state yet; none if all of them are, for the same reason.

    Raises:
        ReleaseError: one of them is in a stronger state, or the newest version would go without a successor.
    """
    wanted = [record for record in targets if not _same(record.state, state)]
    for record in wanted:
        if STATES.index(record.state.name) >= STATES.index(state.name):
            raise ReleaseError(
                f"{record.identity} is {record.state.name} and cannot become {state.name}",
                hint=f"reason given: {record.state.reason}" if record.state.reason else None,
                code="OHR406",
            )
    newest_one = latest(known)
    if state.name == "yanked" and state.successor is None:
        for record in wanted:
            if newest_one and record.identity == newest_one.identity and record.state.name == "active":
                raise ReleaseError(
                    f"{record.identity} is the newest release of '{record.name}'",
                    hint="name what to use instead with --successor, or deprecate it first",
                    code="OHR407",
                )
    return tuple(wanted)


def change_of(record: ReleaseRecord, state: State, *, number: int) -> StateChange:
    """The step that brings a release into a state."""
    return StateChange(
        name=record.name,
        version=record.version,
        revision=record.revision,
        index=record.index,
        number=number,
        state=state,
    )


def statement_of(change: StateChange) -> Statement:
    """What is signed."""
    predicate = change.model_dump(mode="json", by_alias=True)
    return Statement((Digest(change.index),), STATE_PREDICATE, predicate)


def _same(old: State, new: State) -> bool:
    told = {"name", "reason", "successor"}
    return old.model_dump(include=told) == new.model_dump(include=told)
