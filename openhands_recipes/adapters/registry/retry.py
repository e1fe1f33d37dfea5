"""When to try again, and how long to wait before.

Tried again: connections that break, 408, 429, 500, 502, 503, 504. Never: a refusal, and never a
`VerificationError`, which is no `BrokenOffError` and so passes through untouched.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from openhands_recipes.errors import RegistryError

log = logging.getLogger(__name__)

T = TypeVar("T")
AGAIN = frozenset({408, 429, 500, 502, 503, 504})


class BrokenOffError(RegistryError):
    """Broken off in a way that another try may cure; `retry_after` is what the registry asked for."""

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.retry_after = retry_after


class UnreachableError(BrokenOffError):
    """Not one answer yet: more likely a wrong address than a passing fault."""


@dataclass(frozen=True)
class Patience:
    """How often and how long: waits of `first`, doubled up to `longest`, seconds."""

    attempts: int = 6
    attempts_unreachable: int = 3
    first: float = 0.5
    longest: float = 20.0
    longest_asked: float = 300.0
    """A registry that asks for more than this is given up on."""

    def delay(self, fault: BrokenOffError, failures: int) -> float:
        """Seconds to wait after the given number of failures in a row.

        Raises:
            RegistryError: the fault itself, when it is time to give up.
        """
        most = self.attempts_unreachable if isinstance(fault, UnreachableError) else self.attempts
        if failures >= most:
            raise RegistryError(f"{fault.message} ({failures} tries)", where=fault.where, hint=fault.hint)
        if fault.retry_after is None:
            spread = random.uniform(0.75, 1.25)  # noqa: S311 - parallel uploads should not return as one
            wait: float = min(self.longest, self.first * 2.0 ** (failures - 1))
            return wait * spread
        if fault.retry_after > self.longest_asked:
            raise RegistryError(
                f"{fault.message}, and asks to come back in {fault.retry_after:.0f} s",
                where=fault.where,
                hint="try again later; what is uploaded stays",
            )
        return fault.retry_after


def persist(action: Callable[[], T], *, patience: Patience, pause: Callable[[float], None]) -> T:
    """The action's result, after as many interruptions as patience allows."""
    failures = 0
    while True:
        try:
            return action()
        except BrokenOffError as fault:
            failures += 1
            delay = patience.delay(fault, failures)
            log.info("%s; trying again in %.1f s", fault.message, delay)
        pause(delay)


def parse_retry_after(value: str | None, *, now: datetime | None = None) -> float | None:
    """Seconds that a `Retry-After` header asks for, as number or date (RFC 9110, 10.2.3)."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - start-up time

    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())
