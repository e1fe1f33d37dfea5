from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from openhands_recipes.flows.beside import Beside


def test_jobs_are_done_one_after_another_in_order() -> None:
    done: list[int] = []

    def note(number: int) -> int:
        done.append(number)
        return number

    with Beside("jobs") as beside:
        futures = [beside.submit(partial(note, number)) for number in range(20)]
        assert [future.result() for future in futures] == list(range(20))
    assert done == list(range(20))


def test_what_goes_wrong_is_raised_where_the_result_is_wanted() -> None:
    def fail() -> None:
        raise ValueError("no")

    with Beside("jobs") as beside:
        failed, fine = beside.submit(fail), beside.submit(lambda: 1)
        with pytest.raises(ValueError, match="no"):
            failed.result()
        assert fine.result() == 1


def test_a_run_that_fails_does_not_wait_for_jobs() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), []

    def long() -> None:
        begun.set()
        go_on.wait(20)

    def fail() -> None:
        with Beside("jobs") as beside:
            beside.submit(long)
            beside.submit(lambda: done.append("never"))
            begun.wait(20)
            raise RuntimeError("elsewhere")

    began = time.monotonic()
    with pytest.raises(RuntimeError, match="elsewhere"):
        fail()
    assert time.monotonic() - began < 10
    go_on.set()
    assert done == []
