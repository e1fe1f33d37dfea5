"""An OCI registry as the flows see it: `ports.Registry`. Pulling is not done here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from openhands_recipes.adapters.registry.connection import Connection
from openhands_recipes.adapters.registry.credentials import Credentials
from openhands_recipes.adapters.registry.push import Push
from openhands_recipes.adapters.registry.repository import Habits, Target
from openhands_recipes.adapters.registry.retry import Patience
from openhands_recipes.adapters.registry.wire import Wire
from openhands_recipes.model.digest import Digest
from openhands_recipes.model.reference import RegistryAddress
from openhands_recipes.ports import PushOrder, PushReport, Stage

FindCredentials = Callable[[str, str], Credentials | None]
"""What is known for (host, repository or namespace)."""


@dataclass(frozen=True)
class Limits:
    """How hard a registry is worked, and what is thought to be small."""

    parallel: int = 4
    patience: Patience = field(default_factory=Patience)
    habits: Habits = field(default_factory=Habits)


class OciRegistry:
    """One registry; use it as a context manager, or close it."""

    def __init__(
        self,
        address: RegistryAddress,
        *,
        plain_http: bool,
        credentials: FindCredentials,
        limits: Limits | None = None,
        wire: Wire | None = None,
    ) -> None:
        self._address = address
        self._limits = limits or Limits()
        self._connection = Connection(
            address.host,
            plain_http=plain_http,
            credentials=lambda: credentials(address.host, address.namespace),
            patience=self._limits.patience,
            wire=wire or Wire(connections=self._limits.parallel),
        )

    def __enter__(self) -> Self:
        """Nothing is sent before the first push."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._connection.close()

    def push(
        self, order: PushOrder, *, blobs: Callable[[Digest], Path], stage: Stage | None = None
    ) -> PushReport:
        """Blobs, manifests by digest, the index, then tags; what is there already is not sent again.

        Raises:
            RegistryError: refused or broken off, after the retries the specification allows.
            VerificationError: the registry reports another digest than was sent.
        """
        target = Target(self._connection, order.repository, self._limits.habits)
        return Push(target, order, self._limits.parallel, stage).run(blobs)
