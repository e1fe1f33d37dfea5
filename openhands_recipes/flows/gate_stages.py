"""The table of stages: what each judges, and whether it executes anything of the pull request.

A stage looks at a `Reading` and whatever doors it needs. Stages that execute are run only when named one by
one, in a job without token and shared cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from openhands_recipes.errors import UsageError
from openhands_recipes.flows.gate_case import Reading
from openhands_recipes.model.gate import Finding, Stage
from openhands_recipes.publish.gate.case import Case
from openhands_recipes.publish.gate.documents import DOCUMENTS
from openhands_recipes.publish.gate.metadata import METADATA
from openhands_recipes.publish.gate.names import NAMES
from openhands_recipes.publish.gate.permissions import PERMISSIONS
from openhands_recipes.publish.gate.resolution import RESOLUTION
from openhands_recipes.publish.gate.shape import SHAPE
from openhands_recipes.publish.gate.sources import SOURCES
from openhands_recipes.publish.gate.versions import VERSIONS

Judge = Callable[[Reading], Iterable[Finding]]


@dataclass(frozen=True)
class GateStage:
    """One stage."""

    title: str
    judge: Judge
    executes: bool = False
    """Whether it runs anything that the pull request brings along."""
    on_request: bool = False
    """Whether it only runs where it is named, for other reasons."""


def by_rules(*rules: Callable[[Case], Iterator[Finding]]) -> Judge:
    """A stage that only applies rules to what was read."""
    return lambda reading: (found for rule in rules for found in rule(reading.case))


STATIC: dict[Stage, GateStage] = {
    "A": GateStage("shape", by_rules(*SHAPE)),
    "B": GateStage("schema, names and versions", by_rules(*DOCUMENTS, *NAMES, *VERSIONS)),
    "C": GateStage("metadata", by_rules(*METADATA)),
    "D": GateStage("sources", by_rules(*SOURCES)),
    "E": GateStage("permissions", by_rules(*PERMISSIONS)),
    "F": GateStage("resolution", by_rules(*RESOLUTION)),
}
"""Stages that need nothing but history."""


def chosen(wanted: Sequence[Stage], known: dict[Stage, GateStage]) -> tuple[Stage, ...]:
    """The stages to run: those named, else all that execute nothing; in their order.

    Raises:
        UsageError: a named stage is not there.
    """
    missing = [stage for stage in wanted if stage not in known]
    if missing:
        hint = f"stages: {', '.join(known)}"
        raise UsageError(f"stage {missing[0]} is not part of this gate", hint=hint)
    return tuple(
        stage
        for stage, spec in sorted(known.items())
        if (stage in wanted if wanted else not (spec.executes or spec.on_request))
    )
