"""The machine's clocks."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """`ports.Clock` as the machine tells it."""

    def now(self) -> datetime:
        """The current time, with time zone UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds for measuring durations."""
        return time.monotonic()
