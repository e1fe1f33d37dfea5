"""What can this machine do, and what would have to change for the rest?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from openhands_recipes.errors import RecipesError
from openhands_recipes.ports import Ability

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """One thing to look at; `needed` says that no image can be built without it."""

    name: str
    look: Callable[[], Iterable[Ability]]
    needed: bool


@dataclass(frozen=True)
class Finding:
    """What was found: `warn` where something smaller will not work, `fail` where the main job will not."""

    name: str
    state: State
    detail: str
    hint: str


def examine(checks: Sequence[Check]) -> tuple[Finding, ...]:
    """Look at everything, whatever comes of it; findings in the order of the checks."""
    return tuple(
        Finding(ability.name, _state(ability, needed=check.needed), ability.detail, ability.hint)
        for check in checks
        for ability in _looked(check)
    )


def can_build(findings: Iterable[Finding]) -> bool:
    """Whether the main job is possible."""
    return all(finding.state != "fail" for finding in findings)


def _looked(check: Check) -> tuple[Ability, ...]:
    try:
        return tuple(check.look())
    except RecipesError as error:
        detail = f"{error.message} ({error.where})" if error.where else error.message
        return (Ability(check.name, ok=False, detail=detail, hint=error.hint or ""),)


def _state(ability: Ability, *, needed: bool) -> State:
    if ability.ok:
        return "ok"
    return "fail" if needed else "warn"
