"""The index follows from the ledger alone: whatever the order, whatever came when, every byte is the same."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.index import Change, ChangeHead, Pinned
from openhands_recipes.model.release_history import Released
from openhands_recipes.model.release_record import StateName
from openhands_recipes.publish.index.changes import LENGTH, changes_of, extended, read_segment
from openhands_recipes.publish.index.shard import ARCHIVE, NEWEST, read_archive, read_shard, shard_files
from tests.indexes import IndexShop, changed, released

STATES: tuple[StateName, ...] = ("deprecated", "yanked", "blocked")


@st.composite
def histories(draw: st.DrawFn) -> list[Released]:
    """Releases of one recipe, some of them withdrawn."""
    count = draw(st.integers(1, 90))
    found = []
    for number in range(count):
        made = released("python", f"1.{number}.0", draw(st.integers(1, 3)), day=draw(st.integers(0, 400)))
        reached = draw(st.integers(0, 3)) if number % 7 == 0 else 0
        steps = [changed(made, STATES[step], day=500 + step, number=step + 1) for step in range(reached)]
        state = steps[-1].change.state if steps else made.state
        found.append(Released(made.with_state(state), tuple(step.change for step in steps)))
    return found


@settings(max_examples=25, deadline=None)
@given(histories(), st.integers(0, 99))
def test_the_order_of_releases_never_changes_a_byte(releases: list[Released], seed: int) -> None:
    shuffled = releases[:]
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - an order
    one, other = shard_files("python", releases), shard_files("python", shuffled)
    assert one.content == other.content
    assert one.archives == other.archives


@settings(max_examples=25, deadline=None)
@given(histories())
def test_shard_and_archives_hold_every_release_once(releases: list[Released]) -> None:
    files = shard_files("python", releases)
    blobs = {Pinned(digest_of(content), len(content)): content for content in files.archives}
    shard = read_shard(files.content, "python")
    labels, older = [entry.label for entry in shard.entries], shard.older
    assert len(labels) == len(releases) or NEWEST <= len(labels) < NEWEST + ARCHIVE
    archived = []
    while older is not None:
        entries, older = read_archive(blobs.pop(older), "python")
        archived += [entry.label for entry in entries]
    assert not blobs
    assert [label.removesuffix("!") for label in shard.archived] == archived
    made = [f"{one.record.version}-r{one.record.revision}" for one in releases]
    assert sorted(labels + archived) == sorted(made)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 2600), min_size=1, max_size=3, unique=True), st.integers(0, 99))
def test_a_change_log_extended_piece_by_piece_is_the_one_made_at_once(cuts: list[int], seed: int) -> None:
    changes = [
        Change(f"2026-01-01T{n // 60 % 24:02}:{n % 60:02}:00Z", f"recipe-{n}", "1.0.0-r1", 0, "active")
        for n in range(2600)
    ]
    random.Random(seed).shuffle(changes)  # noqa: S311 - the same
    blobs: dict[Pinned, bytes] = {}
    head = ChangeHead()
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(changes)], strict=True):
        head = kept(blobs, head, changes[start:end])
    assert head == kept({}, ChangeHead(), sorted(changes))
    told: list[Change] = []
    last = head.last
    while last is not None:
        segment = read_segment(blobs[last])
        told = [*segment.changes, *told]
        last = segment.previous
    assert told == sorted(changes)
    assert head.total == len(changes)


def kept(blobs: dict[Pinned, bytes], head: ChangeHead, changes: list[Change]) -> ChangeHead:
    written = extended(head, changes, blobs.__getitem__)
    blobs |= {Pinned(digest_of(content), len(content)): content for content in written.segments}
    return written.head


def test_full_segments_of_the_log_stay_as_they_are() -> None:
    blobs: dict[Pinned, bytes] = {}
    first = [Change(f"2026-01-01T00:{n:04}:00Z", "a", f"1.0.{n}-r1", 0, "active") for n in range(LENGTH)]
    head = kept(blobs, ChangeHead(), first)
    later = kept(blobs, head, [Change("2027-01-01T00:00:00Z", "b", "1.0.0-r1", 0, "active")])
    assert later.last is not None
    assert read_segment(blobs[later.last]).previous == head.last


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_an_index_added_to_in_any_pieces_is_the_one_built_at_once(data: st.DataObject) -> None:
    made = [released(name, f"1.{n}.0", day=n) for n in range(4) for name in ("go", "node", "python")]
    yanked = changed(made[0], "yanked", day=9, successor="go@1.1.0")
    order = data.draw(st.permutations(made))
    cut = data.draw(st.integers(1, len(order)))
    with tempfile.TemporaryDirectory() as folder:
        once, pieces = IndexShop(Path(folder, "once")), IndexShop(Path(folder, "pieces"))
        once.begin()
        pieces.begin()
        once.add(*made, changes=[yanked])
        pieces.add(*order[:cut])
        pieces.add(*order[cut:], changes=[yanked])
        assert newest(once) == newest(pieces)


def newest(shop: IndexShop) -> dict[str, bytes]:
    return dict(shop.repository().walk())


def test_what_is_known_of_a_release_is_no_news() -> None:
    made = released("go", "1.0.0")
    assert [change.state for change in changes_of([Released(made)])] == ["active"]
