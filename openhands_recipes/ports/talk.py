"""Time, progress and evidence."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol


class Clock(Protocol):
    """The only way to learn what time it is."""

    def now(self) -> datetime:
        """The current time, with time zone UTC."""

    def monotonic(self) -> float:
        """Seconds for measuring durations."""


class Stage(Protocol):
    """One piece of long work being shown."""

    def advance(self, amount: int = 1) -> None:
        """So much more is done, in the unit the stage was opened with."""

    def note(self, text: str) -> None:
        """What is being done right now."""

    def expect(self, total: int) -> None:
        """So much is to be done in all, as far as is known now; may be said again."""


class Progress(Protocol):
    """Shows long work to people; silent for machines."""

    def stage(
        self, name: str, *, total: int | None = None, unit: Literal["bytes", "items"] = "items"
    ) -> AbstractContextManager[Stage]:
        """Open a stage; its duration is remembered under its name."""

    @property
    def seconds(self) -> Mapping[str, float]:
        """Duration of every finished stage, in order of their start."""


class Evidence(Protocol):
    """The local ledger of what was done (design: evidence and operations)."""

    def append(self, record: Mapping[str, Any]) -> None:
        """Append one record; never raises for a full disk, only warns."""


@dataclass(frozen=True)
class Ability:
    """One thing this machine can or cannot do, for `ohr doctor`; the hint says how to mend it."""

    name: str
    ok: bool
    detail: str
    hint: str = ""
