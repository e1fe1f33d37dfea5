"""The outside world in memory: one fake per port, as small as its promise allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

EPOCH = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FixedClock:
    """A clock that moves only when it is told to."""

    def __init__(self, start: datetime = EPOCH) -> None:
        self.start = start
        self.passed = 0.0

    def pass_seconds(self, seconds: float) -> None:
        self.passed += seconds

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed


class KeptEvidence:
    """A ledger that is a list."""

    def __init__(self) -> None:
        self.records: list[Mapping[str, Any]] = []

    def append(self, record: Mapping[str, Any]) -> None:
        self.records.append(record)


class CountingStage:
    """A stage that remembers what it was told."""

    def __init__(self) -> None:
        self.done = 0
        self.total = 0
        self.notes: list[str] = []

    def advance(self, amount: int = 1) -> None:
        self.done += amount

    def note(self, text: str) -> None:
        self.notes.append(text)

    def expect(self, total: int) -> None:
        self.total = total


class QuietProgress:
    """Progress nobody looks at; every stage takes one second."""

    def __init__(self) -> None:
        self.stages: dict[str, CountingStage] = {}

    @contextmanager
    def stage(
        self,
        name: str,
        *,
        total: int | None = None,  # noqa: ARG002 - the port's signature
        unit: Literal["bytes", "items"] = "items",  # noqa: ARG002
    ) -> Iterator[CountingStage]:
        yield self.stages.setdefault(name, CountingStage())

    @property
    def seconds(self) -> Mapping[str, float]:
        return dict.fromkeys(self.stages, 1.0)
