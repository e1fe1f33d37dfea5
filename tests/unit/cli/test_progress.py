from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from openhands_recipes.cli import progress
from openhands_recipes.cli.progress import Bars, Events, Lines, Reporter, Silent, amount_of
from tests.fakes import FixedClock


def test_seconds_are_kept_in_the_order_in_which_stages_began() -> None:
    clock = FixedClock()
    reporter = Reporter(clock, Silent())
    with reporter.stage("outer"):
        clock.pass_seconds(1)
        with reporter.stage("inner") as stage:
            stage.note("half way")
            clock.pass_seconds(2)
        assert dict(reporter.seconds) == {"inner": 2}
    assert list(reporter.seconds.items()) == [("outer", 3), ("inner", 2)]


def test_stages_of_one_name_add_up() -> None:
    clock = FixedClock()
    reporter = Reporter(clock, Silent())
    for _ in range(2):
        with reporter.stage("pack"):
            clock.pass_seconds(2)
    assert reporter.seconds == {"pack": 4}


def test_a_pipe_gets_one_line_a_stage_with_amount_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    clock = FixedClock()
    reporter = Reporter(clock, Lines())
    with reporter.stage("download", total=3_000_000, unit="bytes") as stage:
        stage.advance(1_000_000)
        stage.advance(2_000_000)
        clock.pass_seconds(2.5)
    with reporter.stage("configure"):
        clock.pass_seconds(1)
    with reporter.stage("check") as stage:
        stage.advance()
    captured = capsys.readouterr()
    assert captured.err == "download  3.0 MB  2.5 s\nconfigure  1.0 s\ncheck  1 items  0.00 s\n"
    assert captured.out == ""


def test_a_failed_stage_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = Reporter(FixedClock(), Lines())
    with pytest.raises(ValueError, match="no"), reporter.stage("pack"):
        raise ValueError("no")
    assert capsys.readouterr().err == "pack  0.00 s  failed\n"
    assert reporter.seconds == {"pack": 0.0}


def test_events_tell_when_a_stage_begins_and_how_it_ended() -> None:
    events: list[Mapping[str, Any]] = []
    clock = FixedClock()
    with Reporter(clock, Events(events.append)).stage("fetch", total=2) as stage:
        stage.advance(2)
        clock.pass_seconds(0.25)
    assert events == [
        {"event": "stage-started", "stage": "fetch", "total": 2, "unit": "items"},
        {
            "event": "stage-finished",
            "stage": "fetch",
            "done": 2,
            "unit": "items",
            "seconds": 0.25,
            "ok": True,
        },
    ]


def test_threads_may_advance_one_stage_together() -> None:
    with Reporter(FixedClock(), Silent()).stage("pack") as stage:

        def work() -> None:
            for _ in range(500):
                stage.advance()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert stage.done == 2000


def test_a_terminal_gets_a_bar_and_then_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    bars = Bars()
    reporter = Reporter(FixedClock(), bars)
    with reporter.stage("download", total=10, unit="bytes") as stage:
        drawn = threading.Event()
        while not bars._open:
            drawn.wait(0.01)
        stage.advance(10)
        stage.note("file")
    captured = capsys.readouterr()
    assert "download" in captured.err
    assert "10 B" in captured.err
    assert captured.out == ""
    assert bars._progress is None


def test_what_is_over_in_a_moment_draws_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Reporter(FixedClock(), Bars()).stage("blink") as stage:
        stage.advance()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((3, 20, "items", None), "3/20"),
        ((3, None, "items", None), "3"),
        ((12_300_000, 45_600_000, "bytes", 3_200_000), "12.3 MB/45.6 MB  3.2 MB/s"),
        ((500, None, "bytes", None), "500 B"),
    ],
)
def test_beside_a_bar_stands_how_much_of_how_much(arguments: tuple[Any, ...], text: str) -> None:
    assert amount_of(*arguments) == text


def test_a_total_that_becomes_known_later_is_shown() -> None:
    with Reporter(FixedClock(), Silent()).stage("nix build", unit="bytes") as stage:
        assert stage.total is None
        stage.expect(500)
        assert stage.total == 500
