"""Words of the pull-request gate: what changed, what was found, who said yes, and the verdict (schema 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from openhands_recipes.model.base import Model
from openhands_recipes.model.gate_proof import Proven

Stage = Literal["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"]
Severity = Literal["error", "human", "warning", "note"]
"""error: fails; human: somebody must say yes; warning and note change nothing."""
Outcome = Literal["pass", "fail", "needs-human"]
LaneName = Literal["update", "change", "new-recipe", "widening", "removal", "policy", "project"]
Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]

REGULAR, EXECUTABLE, LINK, SUBMODULE, ABSENT = 0o100644, 0o100755, 0o120000, 0o160000, 0


@dataclass(frozen=True)
class Change:
    """One path that a pull request adds, changes or removes; renames are a removal and an addition.

    A side that is not there has mode 0 and an empty blob. `path` is what Git says, undecodable bytes as
    surrogates.
    """

    path: str
    old_mode: int
    new_mode: int
    old_blob: str
    new_blob: str

    @property
    def is_removal(self) -> bool:
        """Whether nothing is left at the path."""
        return self.new_mode == ABSENT

    @property
    def is_addition(self) -> bool:
        """Whether nothing was at the path."""
        return self.old_mode == ABSENT

    @property
    def recipe(self) -> str | None:
        """The recipe folder the path lies in: `recipes/<name>/...`."""
        parts = self.path.split("/")
        return parts[1] if len(parts) > 2 and parts[0] == "recipes" and parts[1] else None


@dataclass(frozen=True)
class CommitWords:
    """What a commit says of itself."""

    id: str
    author: str
    email: str
    message: str
    parents: int = 1


class Finding(Model):
    """One thing the gate noticed, where it is, and what to do about it. Lines count from 1; 0: no line."""

    code: str
    severity: Severity
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    hint: str | None = None
    fixable: bool = False
    """`ohr gate --fix` mends it."""

    @property
    def where(self) -> str:
        """`file:line:column`, as far as known."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Review(Model):
    """What one reviewer last said, and about which commit."""

    user: int
    state: Literal["approved", "changes-requested"]
    commit: str


class Submission(Model):
    """What the forge knows about a pull request and Git does not."""

    number: int
    author: int
    opened: str
    """ISO 8601, UTC."""
    head: Commit
    base: Commit
    reviews: tuple[Review, ...] = ()


class Demand(Model):
    """Approvals that must be there: so many, from these people."""

    count: int = Field(ge=1)
    by: str
    """In words: `maintainers of python`, `group security`."""
    anyone_of: tuple[int, ...]
    given: tuple[int, ...] = ()

    @property
    def is_met(self) -> bool:
        """Whether enough of them approved."""
        return len(self.given) >= self.count


class Lane(Model):
    """By which rules a pull request merges."""

    name: LaneName
    reason: str
    demands: tuple[Demand, ...] = ()
    wait_until: str | None = None
    """ISO 8601: not before."""


class Skip(Model):
    """A rule that does not count for some paths, for a while and a stated reason."""

    rule: str
    path: str
    reason: str
    expires: str
    by: int


class NotRun(Model):
    """A stage, or a part of one, that was left out, and why."""

    stage: str
    reason: str


@dataclass(frozen=True)
class Verdict:
    """What the gate says about a pull request.

    `tolerated` are old faults the ratchet knows, `skipped` those a skip covers.
    """

    base: str
    head: str
    outcome: Outcome
    findings: tuple[Finding, ...]
    stages: tuple[Stage, ...]
    not_run: tuple[NotRun, ...] = ()
    recipes: tuple[str, ...] = ()
    dependants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lane: Lane | None = None
    """None: not judged."""
    tolerated: tuple[Finding, ...] = ()
    skipped: tuple[Finding, ...] = ()
    skips: tuple[Skip, ...] = ()
    fixed: tuple[str, ...] = ()
    proven: tuple[Proven, ...] = ()
    """What stages that execute showed."""
    comment: str = ""
    """The review aid of stage J, Markdown."""

    @property
    def may_approve(self) -> tuple[int, ...]:
        """Everybody whose approval is still wanted."""
        open_demands = [d for d in (self.lane.demands if self.lane else ()) if not d.is_met]
        return tuple(
            sorted({person for d in open_demands for person in d.anyone_of} - self._gave(open_demands))
        )

    @staticmethod
    def _gave(demands: list[Demand]) -> set[int]:
        return set().union(*(d.given for d in demands)) if demands else set()
