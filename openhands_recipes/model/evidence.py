"""Evidence: what one run of one verb did, as one line of the local ledger (schema 1).

Plain dataclasses: a record is written at the end of every run, also of those that must start and
finish in a fraction of a second. Nothing here reads a clock or a machine; doors hand both in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

SCHEMA = 1
Outcome = Literal["ok", "failed", "interrupted", "crashed"]
"""failed: the verb said no, with an exit code of its own; crashed: a bug of ours."""


@dataclass(frozen=True)
class MachineClass:
    """What kind of machine it was; enough to compare times, too little to recognise anybody."""

    cpus: int
    memory_gib: int
    arch: str
    kernel: str
    root: bool


@dataclass(frozen=True)
class Record:
    """One run of one verb on one recipe and platform; the empty string where there was none."""

    verb: str
    outcome: Outcome
    exit_code: int
    started: str
    """ISO 8601, UTC, whole seconds: `2026-11-21T09:15:44Z`."""
    machine: MachineClass
    recipe: str = ""
    version: str = ""
    platform: str = ""
    digest: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Stage -> seconds, in order of their start; `total` is the whole of it."""
    bytes: Mapping[str, int] = field(default_factory=dict)
    """What moved: `downloaded`, `new`, `reused`, `uploaded`, as far as the verb knows."""

    def to_json(self) -> dict[str, Any]:
        """As it stands in the ledger, schema number first."""
        seconds = {stage: round(value, 3) for stage, value in self.seconds.items()}
        return {"schema": SCHEMA} | asdict(self) | {"seconds": seconds, "bytes": dict(self.bytes)}
