from __future__ import annotations

from datetime import UTC, datetime
from itertools import count

import pytest

from openhands_recipes.adapters.registry.retry import (
    BrokenOffError,
    Patience,
    UnreachableError,
    parse_retry_after,
    persist,
)
from openhands_recipes.errors import RegistryError, VerificationError

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("Mon, 23 Nov 2026 12:01:30 GMT", 90.0),
        ("Mon, 23 Nov 2026 12:01:30 -0000", 90.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_a_pause_may_be_a_number_or_a_date(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, now=NOW) == seconds


def failing(fault: Exception, times: int) -> tuple[list[float], object]:
    attempts = count()

    def action() -> str:
        if next(attempts) < times:
            raise fault
        return "done"

    pauses: list[float] = []
    return pauses, persist(action, patience=Patience(), pause=pauses.append)


def test_pauses_double_up_to_a_limit() -> None:
    pauses, result = failing(BrokenOffError("broken"), 5)
    assert result == "done"
    for pause, expected in zip(pauses, [0.5, 1, 2, 4, 8], strict=True):
        assert 0.75 * expected <= pause <= 1.25 * expected
    assert Patience(longest=3).delay(BrokenOffError("broken"), 5) <= 3 * 1.25


def test_what_the_registry_asks_for_is_what_is_waited() -> None:
    pauses, _ = failing(BrokenOffError("busy", retry_after=42), 2)
    assert pauses == [42, 42]


def test_patience_ends_with_the_last_fault_and_the_number_of_tries() -> None:
    with pytest.raises(RegistryError, match=r"broken \(6 tries\)") as caught:
        failing(BrokenOffError("broken", where="there", hint="do this"), 99)
    assert (caught.value.where, caught.value.hint) == ("there", "do this")
    assert not isinstance(caught.value, BrokenOffError), "nobody tries a given-up request again"


def test_an_address_that_never_answered_is_given_up_sooner() -> None:
    with pytest.raises(RegistryError, match=r"\(3 tries\)"):
        failing(UnreachableError("nothing listens"), 99)


@pytest.mark.parametrize(
    "fault", [RegistryError("refused"), VerificationError("other bytes"), ValueError("bug")]
)
def test_nothing_else_is_tried_again(fault: Exception) -> None:
    with pytest.raises(type(fault)):
        failing(fault, 1)
