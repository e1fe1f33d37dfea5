"""Withdrawals in a world in memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from openhands_recipes.errors import LedgerConflictError, ReleaseError
from openhands_recipes.flows.release_signer import KeySigner
from openhands_recipes.flows.withdraw import Withdrawal, WithdrawDoors, withdraw
from openhands_recipes.publish.verify import verify_change
from tests.fakes import FixedClock, QuietProgress
from tests.release_records import record
from tests.releases import MemoryLedger, new_key

KEY = new_key()


def world(ledger: MemoryLedger, refreshed: list[object] | None = None) -> WithdrawDoors:
    return WithdrawDoors(
        ledger=ledger,
        signer=KeySigner(KEY),
        actor=7,
        progress=QuietProgress(),
        clock=FixedClock(),
        refresh_index=refreshed.append if refreshed is not None else None,
    )


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger([record("1.0.0", 1), record("1.0.0", 2), record("2.0.0", 1)])


def test_each_change_is_signed_and_says_what_it_is_about(ledger: MemoryLedger) -> None:
    changed = withdraw(world(ledger), Withdrawal("sample@1.0.0", "yanked", "broken", "sample@2.0.0"))
    assert [one.identity for one in changed] == ["sample@1.0.0-r1", "sample@1.0.0-r2"]
    for one, signed in zip(changed, ledger.changes("sample"), strict=True):
        change = verify_change(signed.envelope, keys=[KEY.public], record=one)
        assert change == signed.change
        assert (change.state.reason, change.state.successor, change.state.by) == ("broken", "sample@2.0.0", 7)
        assert change.state == one.state


def test_changes_of_one_release_are_counted(ledger: MemoryLedger) -> None:
    withdraw(world(ledger), Withdrawal("sample@1.0.0-r1", "deprecated", "old"))
    withdraw(world(ledger), Withdrawal("sample@1.0.0", "blocked", "malware"))
    numbers = {(one.change.revision, one.change.state.name): one.change.number for one in ledger.signed}
    assert numbers == {(1, "deprecated"): 1, (1, "blocked"): 2, (2, "blocked"): 1}


def test_nothing_is_written_when_nothing_changes_and_the_index_is_refreshed_all_the_same(
    ledger: MemoryLedger,
) -> None:
    """The run before may have been killed between ledger and index."""
    wanted, refreshed = Withdrawal("sample@1.0.0-r1", "deprecated", "old"), list[object]()
    withdraw(world(ledger), wanted)
    assert withdraw(world(ledger, refreshed), wanted) == ()
    assert (len(ledger.signed), refreshed) == (1, [["sample"]])


def test_a_successor_may_be_another_recipe(ledger: MemoryLedger) -> None:
    ledger.kept.append(record("1.0.0", 1, name="other"))
    (changed,) = withdraw(world(ledger), Withdrawal("sample@2.0.0", "yanked", "moved", "other@1.0.0"))
    assert changed.state.successor == "other@1.0.0"
    with pytest.raises(ReleaseError, match="no release nobody"):
        withdraw(world(ledger), Withdrawal("sample@1.0.0", "yanked", "moved", "nobody@1.0.0"))


def test_whoever_is_overtaken_looks_again(ledger: MemoryLedger) -> None:
    others: list[Callable[[], object]] = [
        lambda: withdraw(world(ledger), Withdrawal("sample@1.0.0-r1", "deprecated", "old"))
    ]

    def before_append() -> None:
        if others:
            others.pop()()

    ledger.before_append = before_append
    withdraw(world(ledger), Withdrawal("sample@1.0.0-r1", "yanked", "broken"))
    assert [(one.change.number, one.change.state.name) for one in ledger.signed] == [
        (1, "deprecated"),
        (2, "yanked"),
    ]


def test_a_ledger_that_never_stands_still_is_given_up(ledger: MemoryLedger) -> None:
    def always() -> None:
        raise LedgerConflictError("again")

    ledger.before_append = always
    with pytest.raises(LedgerConflictError, match="20 other publishers"):
        withdraw(world(ledger), Withdrawal("sample@1.0.0", "yanked", "broken"))
