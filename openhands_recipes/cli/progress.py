"""Shows long work: bars on a terminal, one line a stage in a log, JSON events, or nothing at all.

`Reporter` keeps the seconds of every stage; how a stage looks is the business of a `Show`. `rich` is
imported by the one that draws, and only once a stage has lasted long enough to be worth a bar.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol

import click

from openhands_recipes.cli.output import human_seconds, human_size
from openhands_recipes.ports import Clock

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

Unit = Literal["bytes", "items"]
PATIENCE = 0.25
"""Seconds before a stage gets a bar: what is over sooner would only flicker."""


class ShownStage:
    """`ports.Stage`: counts, and tells its show. Threads may advance it at the same time."""

    def __init__(self, name: str, total: int | None, unit: Unit, show: Show) -> None:
        self.name = name
        self.total = total
        self.unit = unit
        self.done = 0
        self.text = ""
        self._show = show
        self._lock = threading.Lock()

    def advance(self, amount: int = 1) -> None:
        """So much more is done."""
        with self._lock:
            self.done += amount
        self._show.moved(self)

    def note(self, text: str) -> None:
        """What is being done right now."""
        self.text = text
        self._show.moved(self)

    def expect(self, total: int) -> None:
        """So much is to be done in all, as far as is known now."""
        self.total = total
        self._show.moved(self)

    def amount(self) -> str:
        """How much was done, for people; empty where there was nothing to count."""
        if not self.done:
            return ""
        return human_size(self.done) if self.unit == "bytes" else f"{self.done} items"


class Show(Protocol):
    """One way to look at stages."""

    def opened(self, stage: ShownStage) -> None:
        """A stage has begun."""

    def moved(self, stage: ShownStage) -> None:
        """It advanced or has something to say."""

    def closed(self, stage: ShownStage, seconds: float, *, failed: bool) -> None:
        """It is over."""


class Silent:
    """Shows nothing."""

    def opened(self, stage: ShownStage) -> None:
        """Nothing."""

    def moved(self, stage: ShownStage) -> None:
        """Nothing."""

    def closed(self, stage: ShownStage, seconds: float, *, failed: bool) -> None:
        """Nothing."""


class Lines(Silent):
    """One line on stderr when a stage is over."""

    def closed(self, stage: ShownStage, seconds: float, *, failed: bool) -> None:
        """Name, amount and time."""
        click.echo(line_of(stage, seconds, failed=failed), err=True)


class Events(Silent):
    """One event when a stage begins and one when it is over."""

    def __init__(self, emit: Callable[[Mapping[str, Any]], None]) -> None:
        self._emit = emit

    def opened(self, stage: ShownStage) -> None:
        """Event `stage-started`."""
        self._emit({"event": "stage-started", "stage": stage.name, "total": stage.total, "unit": stage.unit})

    def closed(self, stage: ShownStage, seconds: float, *, failed: bool) -> None:
        """Event `stage-finished`."""
        self._emit(
            {
                "event": "stage-finished",
                "stage": stage.name,
                "done": stage.done,
                "unit": stage.unit,
                "seconds": round(seconds, 3),
                "ok": not failed,
            }
        )


class Bars:
    """Bars with speed and time left while a stage lasts, one line for it afterwards."""

    def __init__(self) -> None:
        self._open: dict[ShownStage, Any] = {}
        self._timers: dict[ShownStage, threading.Timer] = {}
        self._progress: RichProgress | None = None
        self._lock = threading.RLock()

    def opened(self, stage: ShownStage) -> None:
        """Draw it, unless it is over in a moment."""
        timer = threading.Timer(PATIENCE, self._draw, (stage,))
        timer.daemon = True
        with self._lock:
            self._timers[stage] = timer
        timer.start()

    def moved(self, stage: ShownStage) -> None:
        """Move its bar."""
        with self._lock:
            if self._progress and stage in self._open:
                self._progress.update(
                    self._open[stage], completed=stage.done, total=stage.total, note=stage.text
                )

    def closed(self, stage: ShownStage, seconds: float, *, failed: bool) -> None:
        """Put a line in the place of the bar; stages too short for a bar leave none."""
        with self._lock:
            self._timers.pop(stage).cancel()
            if not self._progress or stage not in self._open:
                return
            self._progress.remove_task(self._open.pop(stage))
            self._progress.console.print(
                line_of(stage, seconds, failed=failed), highlight=False, markup=False
            )
            if not self._open:
                self._progress.stop()
                self._progress = None

    def _draw(self, stage: ShownStage) -> None:
        with self._lock:
            if stage not in self._timers:
                return
            if self._progress is None:
                self._progress = _rich_progress()
                self._progress.start()
            self._open[stage] = self._progress.add_task(
                stage.name, total=stage.total, completed=stage.done, note=stage.text, unit=stage.unit
            )


def _rich_progress() -> RichProgress:
    from rich.console import Console  # noqa: PLC0415 - drawing is rare and the import takes its time
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        Progress,
        ProgressColumn,
        SpinnerColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text  # noqa: PLC0415

    class AmountColumn(ProgressColumn):
        """Done of total, and the speed of bytes."""

        def render(self, task: Task) -> Text:
            return Text(amount_of(task.completed, task.total, task.fields["unit"], task.speed))

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        AmountColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[note]}", style="dim"),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # results stay on stdout
    )


def amount_of(done: float, total: float | None, unit: Unit, speed: float | None) -> str:
    """What stands beside a bar: `12.3 MB/45.6 MB  3.2 MB/s`, `3/20`."""
    if unit == "items":
        return f"{done:.0f}" if total is None else f"{done:.0f}/{total:.0f}"
    shown = human_size(done) if total is None else f"{human_size(done)}/{human_size(total)}"
    return f"{shown}  {human_size(speed)}/s" if speed else shown


def line_of(stage: ShownStage, seconds: float, *, failed: bool) -> str:
    """One line about a stage that is over: `download  123.4 MB  5.6 s`."""
    parts = [stage.name, stage.amount(), human_seconds(seconds), "failed" if failed else ""]
    return "  ".join(part for part in parts if part)


class Reporter:
    """`ports.Progress`: opens stages on one show and remembers how long they took."""

    def __init__(self, clock: Clock, show: Show) -> None:
        self._clock = clock
        self._show = show
        self._order: dict[str, None] = {}
        self._seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def stage(self, name: str, *, total: int | None = None, unit: Unit = "items") -> Iterator[ShownStage]:
        """Open a stage; stages of the same name add up."""
        stage = ShownStage(name, total, unit, self._show)
        with self._lock:
            self._order.setdefault(name)
        started = self._clock.monotonic()
        self._show.opened(stage)
        failed = True
        try:
            yield stage
            failed = False
        finally:
            seconds = self._clock.monotonic() - started
            with self._lock:
                self._seconds[name] = self._seconds.get(name, 0.0) + seconds
            self._show.closed(stage, seconds, failed=failed)

    @property
    def seconds(self) -> Mapping[str, float]:
        """Duration of every finished stage, in order of their start."""
        return {name: self._seconds[name] for name in self._order if name in self._seconds}
