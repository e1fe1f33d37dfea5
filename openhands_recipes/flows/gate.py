"""`ohr gate`: may this pull request merge? Read it, judge it stage by stage, settle on a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from openhands_recipes.errors import UsageError
from openhands_recipes.flows.gate_case import Gatehouse, Moment, Reading, read_case
from openhands_recipes.flows.gate_online import Sources, ask_sources
from openhands_recipes.flows.gate_stages import STATIC, GateStage, chosen
from openhands_recipes.model.gate import Finding, NotRun, Stage, Submission, Verdict
from openhands_recipes.publish.gate.case import Case
from openhands_recipes.publish.gate.settle import Run, settle
from openhands_recipes.publish.gate.texts import as_text, canonical, repaired

EXECUTES = (
    "it executes what the pull request brings: name it with --stage, in a job without token or shared cache"
)
OFFLINE = "checksums were not compared with their sources: needs --online"


@dataclass(frozen=True)
class GateOrder:
    """What to judge, and how far."""

    base: str
    head: str
    stages: tuple[Stage, ...] = ()
    """Empty: all that execute nothing."""
    submission: Submission | None = None


@dataclass(frozen=True)
class Judged:
    """A verdict, and what it was reached from."""

    verdict: Verdict
    reading: Reading


def gate(
    doors: Gatehouse,
    order: GateOrder,
    *,
    now: datetime,
    stages: Mapping[Stage, GateStage] = STATIC,
    online: Callable[[], Sources] | None = None,
) -> Judged:
    """Judge a pull request.

    `online` lets stage D ask the sources. People are judged only when every static stage runs, because the
    lane follows from what those find.

    Raises:
        UsageError: a commit or stage is not here, or base and head do not fit the event.
    """
    known = dict(stages)
    run = chosen(order.stages, known)
    base, head = doors.history.commit(order.base), doors.history.commit(order.head)
    moment = Moment(now.strftime("%Y-%m-%d"), order.submission)
    with doors.progress.stage("read"):
        reading = read_case(doors, base, head, moment)
    if online is not None and "D" in run:
        reading = replace(reading, case=replace(reading.case, online=ask_sources(reading.case, online())))
    findings: list[Finding] = []
    for letter in run:
        with doors.progress.stage(f"{letter} {known[letter].title}"):
            findings += known[letter].judge(reading)
    plan = Run(run, tuple(_left_out(run, known, asked=online is not None)), people=STATIC.keys() <= set(run))
    verdict = settle(findings, reading.case, plan, now=now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return Judged(verdict, reading)


def _left_out(run: tuple[Stage, ...], known: Mapping[Stage, GateStage], *, asked: bool) -> Iterator[NotRun]:
    for letter, stage in sorted(known.items()):
        if letter not in run:
            yield NotRun(stage=letter, reason=EXECUTES if stage.executes else "not asked for")
        elif letter == "D" and not asked:
            yield NotRun(stage="D online", reason=OFFLINE)


# --- repairs -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Repair:
    """A file with the faults mended that can be mended in one way only."""

    path: str
    before: bytes
    after: bytes
    plain_mode: bool
    """Whether it must stop being executable."""


def repairs(case: Case, *, same_meaning: Callable[[str, bytes, bytes], bool]) -> tuple[Repair, ...]:
    """Every repair of the touched recipes' files. One that would change what a recipe says is left out."""
    found = []
    for file in case.files:
        content = file.content
        if content is None or file.change.recipe is None or as_text(content) is None:
            continue
        mended = repaired(content)
        if file.name == "recipe.yaml":
            ordered = canonical(mended.decode()).encode()
            mended = ordered if same_meaning(file.path, mended, ordered) else mended
        executable = file.change.new_mode == 0o100755
        if mended != content or executable:
            found.append(Repair(file.path, content, mended, executable))
    return tuple(found)


def mend(case: Case, door: Callable[[Repair], bool], *, head_is_checked_out: bool) -> tuple[str, ...]:
    """Apply all repairs to the work tree; the paths that were mended.

    `door` writes one file if it still holds what was judged, and says whether it did.

    Raises:
        UsageError: something else is checked out than what was judged.
    """
    if not head_is_checked_out:
        hint = "check the head out first; only what was judged is mended"
        raise UsageError("the work tree is not at the judged commit", hint=hint)
    return tuple(repair.path for repair in repairs(case, same_meaning=same_recipe) if door(repair))


def same_recipe(path: str, before: bytes, after: bytes) -> bool:
    """Whether two texts of a recipe say the same."""
    from openhands_recipes.compile.recipe.parse import examine  # noqa: PLC0415 - only --fix needs it

    old, new = examine(before, file=path), examine(after, file=path)
    same = (old.parsed and old.parsed.recipe) == (new.parsed and new.parsed.recipe)
    return same and len(old.faults) == len(new.faults)
