"""The change log: what became of which release, in the order it happened, for those who follow along.

A text, one change a line, cut into segments of 1,000: blobs, each naming the one before. Full segments
never change as long as changes arrive in their order; one that arrives late (clocks of publishers differ)
has the segments from its place on written anew, and followers notice that theirs is not in the chain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.index import (
    SCHEMA,
    STATES,
    Change,
    ChangeHead,
    Pinned,
    ReleaseState,
    Segment,
    malformed,
)
from openhands_recipes.publish.index.codec import json_of, packed_json, unpacked
from openhands_recipes.publish.index.shard import pinned_of

if TYPE_CHECKING:  # pydantic takes memory, and readers need none of it
    from openhands_recipes.model.release_history import Released

LENGTH = 1000


class Written(NamedTuple):
    """Segments to keep, and where the log ends with them."""

    segments: tuple[bytes, ...]
    head: ChangeHead


def changes_of(releases: Iterable[Released]) -> list[Change]:
    """Everything that became of some releases."""
    found = []
    for record, changes in releases:
        label = f"{record.version}-r{record.revision}"
        found.append(Change(record.released, record.name, label, 0, "active"))
        found += [Change(one.state.since, record.name, label, one.number, one.state.name) for one in changes]
    return found


def news(changes: Iterable[Change], known: Mapping[str, ReleaseState]) -> list[Change]:
    """The changes of a recipe that come after what the index says of it: label -> state."""

    def is_new(change: Change) -> bool:
        state = known.get(change.label)
        return state is None or _later(change.state, change.since) > _later(state.name, state.since)

    return [change for change in changes if is_new(change)]


def _later(state: str, since: str) -> tuple[int, str]:
    """States only ever move on, whatever the publishers' clocks say."""
    return STATES.index(state), since


def extended(head: ChangeHead, new: Iterable[Change], read: Callable[[Pinned], bytes]) -> Written:
    """The log with some more changes; what it has already is not added again.

    `read` gives a segment's bytes. Reads backwards as far as the new changes reach.
    """
    tail = sorted(set(new))
    if not tail:
        return Written((), head)
    first, last = head.total, head.last
    while last is not None:
        segment = read_segment(read(last))
        if len(segment.changes) == LENGTH and segment.changes[-1] < tail[0]:
            break
        first, last = segment.first, segment.previous
        tail = sorted(set(tail) | set(segment.changes))
    return _cut(tail, first, last)


def read_segment(content: bytes) -> Segment:
    """A segment from its bytes.

    Raises:
        VerificationError: it is none.
    """
    value = json_of(unpacked(content, where="change log"), where="change log")
    try:
        changes = tuple(_change(line) for line in str(value["changes"]).splitlines())
        return Segment(int(value["first"]), changes, pinned_of(value.get("previous"), "change log"))
    except (KeyError, TypeError, ValueError) as error:
        raise malformed(f"a segment of the change log is not understood ({error})") from error


def head_json(head: ChangeHead) -> dict[str, Any]:
    """The end of the log as the catalogue says it."""
    last = {"last": {"digest": head.last.digest, "size": head.last.size}} if head.last else {}
    return {"total": head.total, **last}


def _cut(changes: Sequence[Change], first: int, previous: Pinned | None) -> Written:
    segments: list[bytes] = []
    for at in range(0, len(changes), LENGTH):
        piece = changes[at : at + LENGTH]
        lines = "".join(" ".join(map(str, change)) + "\n" for change in piece)
        value: dict[str, Any] = {"schema": SCHEMA, "first": first + at, "changes": lines}
        if previous:
            value["previous"] = {"digest": previous.digest, "size": previous.size}
        segments.append(packed_json(value))
        previous = Pinned(digest_of(segments[-1]), len(segments[-1]))
    return Written(tuple(segments), ChangeHead(first + len(changes), previous))


def _change(line: str) -> Change:
    since, name, label, number, state = line.split(" ")
    return Change(since, name, label, int(number), state)
