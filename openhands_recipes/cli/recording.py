"""Turns one run of one verb into evidence: one record for each recipe it worked on, or one for the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import click

from openhands_recipes.cli.complaint import BUG, INTERRUPTED
from openhands_recipes.errors import RecipesError
from openhands_recipes.model.evidence import MachineClass, Outcome, Record
from openhands_recipes.ports import Clock, Evidence, Progress

Ending = tuple[int, Outcome]
"""How a run ended: exit code and outcome."""


@dataclass
class Subject:
    """What a verb works on right now; the verb fills in what it learns."""

    recipe: str = ""
    version: str = ""
    platform: str = ""
    digest: str = ""
    bytes: dict[str, int] = field(default_factory=dict)


class Recorder:
    """Appends the records of one run."""

    def __init__(
        self, clock: Clock, evidence: Evidence, progress: Progress, machine: Callable[[], MachineClass]
    ) -> None:
        self._clock = clock
        self._evidence = evidence
        self._progress = progress
        self._machine = machine
        self._verb = ""
        self._subjects = 0

    @contextmanager
    def verb(self, name: str) -> Iterator[None]:
        """Everything inside is one run of a verb; it leaves its own record if nothing inside left one."""
        self._verb = name
        with self._kept(Subject(), only_if_alone=True):
            yield

    @contextmanager
    def subject(self, recipe: str, version: str = "", platform: str = "") -> Iterator[Subject]:
        """Everything inside is about one recipe on one platform."""
        subject = Subject(recipe, version, platform)
        self._subjects += 1
        with self._kept(subject, only_if_alone=False):
            yield subject

    @contextmanager
    def _kept(self, subject: Subject, *, only_if_alone: bool) -> Iterator[None]:
        started, began = self._clock.now(), self._clock.monotonic()
        before = dict(self._progress.seconds)
        ended: Ending = (BUG, "crashed")
        try:
            yield
            ended = (0, "ok")
        except BaseException as error:
            ended = outcome_of(error)
            raise
        finally:
            if not (only_if_alone and self._subjects):
                seconds = self._seconds_since(before) | {"total": self._clock.monotonic() - began}
                self._evidence.append(self._record(subject, started, ended, seconds).to_json())

    def _record(
        self, subject: Subject, started: datetime, ended: Ending, seconds: Mapping[str, float]
    ) -> Record:
        return Record(
            verb=self._verb,
            outcome=ended[1],
            exit_code=ended[0],
            started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            machine=self._machine(),
            recipe=subject.recipe,
            version=subject.version,
            platform=subject.platform,
            digest=subject.digest,
            seconds=seconds,
            bytes=subject.bytes,
        )

    def _seconds_since(self, before: Mapping[str, float]) -> dict[str, float]:
        """What each stage took since `before` was noted."""
        spent = {name: total - before.get(name, 0.0) for name, total in self._progress.seconds.items()}
        return {name: seconds for name, seconds in spent.items() if name not in before or seconds > 0}


def outcome_of(error: BaseException) -> Ending:
    """Exit code and outcome of a run that ended with this exception."""
    match error:
        case RecipesError():
            return error.exit_code, "failed"
        case click.exceptions.Exit():
            return error.exit_code, "failed" if error.exit_code else "ok"
        case SystemExit(code=code):
            number = code if isinstance(code, int) else int(code is not None)
            return number, "failed" if number else "ok"
        case click.ClickException():
            return error.exit_code, "failed"
        case KeyboardInterrupt() | click.Abort():
            return INTERRUPTED, "interrupted"
        case _:
            return BUG, "crashed"
