"""Settling: findings, skips, the ratchet and what people said -> one verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from openhands_recipes.model.gate import Finding, Lane, NotRun, Outcome, Skip, Stage, Verdict
from openhands_recipes.model.gate_settings import GateSkip
from openhands_recipes.publish.gate.case import Case
from openhands_recipes.publish.gate.governance import counts_of, judge_people, judge_ratchet
from openhands_recipes.publish.gate.lanes import lane_of
from openhands_recipes.publish.gate.paths import matches
from openhands_recipes.publish.gate.rules import RULES, Code, finding, rule_of

ORDER = {"error": 0, "human": 1, "warning": 2, "note": 3}


@dataclass(frozen=True)
class Sifted:
    """Findings after skips and the ratchet."""

    counting: tuple[Finding, ...]
    skipped: tuple[Finding, ...]
    skips: tuple[Skip, ...]
    tolerated: tuple[Finding, ...]


def sift(findings: Iterable[Finding], case: Case) -> Sifted:
    """Take out what a skip lifts or the ratchet tolerates; say which skips have run out or lift nothing."""
    counting: list[Finding] = []
    skipped: list[Finding] = []
    used: dict[GateSkip, None] = {}
    expired: dict[GateSkip, None] = {}
    for found in findings:
        skip = _skip_for(found, case.settings.gate_skips)
        if skip is None or not rule_of(found.code).skippable:
            counting.append(found)
        elif skip.expires < case.today:
            expired[skip] = None
            counting.append(found)
        else:
            used[skip] = None
            skipped.append(found)
    counting += [_expired(skip) for skip in expired]
    left, tolerated = _tolerate(counting, case)
    skips = tuple(Skip(rule=s.rule, path=s.path, reason=s.reason, expires=s.expires, by=s.by) for s in used)
    return Sifted(tuple(left), tuple(skipped), skips, tuple(tolerated))


def _skip_for(found: Finding, skips: Sequence[GateSkip]) -> GateSkip | None:
    """The skip that holds longest among those that mean this finding."""
    meant = [skip for skip in skips if skip.rule == found.code and matches(skip.path, found.file)]
    return max(meant, key=lambda skip: skip.expires, default=None)


def _expired(skip: GateSkip) -> Finding:
    message = f"the skip of {skip.rule} for '{skip.path}' expired on {skip.expires} ({skip.reason})"
    hint = "mend the fault, or have the skip renewed by a pull request of its own"
    return finding(Code.SKIP_EXPIRED, message, "recipes/gate.yaml", hint=hint)


def _tolerate(findings: Sequence[Finding], case: Case) -> tuple[list[Finding], list[Finding]]:
    budget = counts_of(case.ratchet)
    touched = {file.path for file in case.files}
    left: list[Finding] = []
    tolerated: list[Finding] = []
    seen: Counter[tuple[str, str]] = Counter()
    for found in findings:
        key = (found.code, found.file)
        seen[key] += 1
        rule = rule_of(found.code)
        tolerable = seen[key] <= budget.get(key, 0) and rule.skippable and rule.tolerable
        (tolerated if tolerable else left).append(found)
    for (code, path), count in sorted(budget.items()):
        if path in touched and seen[code, path] < count:
            message = f"{code} in '{path}' is tolerated {count} times and found {seen[code, path]} times"
            left.append(
                finding(Code.RATCHET_LOOSE, message, "recipes/ratchet.yaml", hint="lower or remove the entry")
            )
    return left, tolerated


@dataclass(frozen=True)
class Run:
    """Which stages ran, and what was left out."""

    stages: tuple[Stage, ...]
    not_run: tuple[NotRun, ...] = ()
    people: bool = True
    """Whether governance is judged: only together with all stages that decide lanes."""


def settle(findings: Iterable[Finding], case: Case, run: Run, *, now: str) -> Verdict:
    """The verdict on a pull request. `now` is ISO 8601, UTC, to the second."""
    sifted = sift([*case.problems, *findings], case)
    counting = list(sifted.counting)
    lane: Lane | None = None
    if run.people:
        if case.submission is not None:
            lane = lane_of(case, case.submission, sifted.counting)
        people = [*judge_people(case, lane, now), *judge_ratchet(case)]
        counting = [_answered(found, lane) for found in [*counting, *people]]
    return Verdict(
        base=case.base,
        head=case.head,
        outcome=outcome_of(counting),
        findings=tuple(sorted(counting, key=_place)),
        stages=run.stages,
        not_run=run.not_run,
        recipes=tuple(sorted(recipe.name for recipe in case.recipes)),
        dependants=dict(_dependants(case)),
        lane=lane,
        tolerated=sifted.tolerated,
        skipped=sifted.skipped,
        skips=sifted.skips,
    )


def _dependants(case: Case) -> Iterator[tuple[str, tuple[str, ...]]]:
    for recipe in case.recipes:
        via = {d.name for d in case.dependants if d.via == recipe.name} | set(
            case.direct.get(recipe.name, ())
        )
        if via:
            yield recipe.name, tuple(sorted(via))


def _answered(found: Finding, lane: Lane | None) -> Finding:
    """A finding that wanted people to agree is a note once they did."""
    if found.severity != "human" or lane is None or found.code not in RULES:
        return found
    rule = RULES[Code(found.code)]
    answerable = rule.stage is not None or bool(rule.demand)
    if not answerable or rule.demand == "consent" or not all(demand.is_met for demand in lane.demands):
        return found
    people = sorted({person for demand in lane.demands for person in demand.given})
    hint = f"agreed by {', '.join(map(str, people))}"
    return found.model_copy(update={"severity": "note", "hint": hint})


def outcome_of(findings: Iterable[Finding]) -> Outcome:
    """Errors fail, open questions need a human, everything else passes."""
    severities = {found.severity for found in findings}
    if "error" in severities:
        return "fail"
    return "needs-human" if "human" in severities else "pass"


def _place(found: Finding) -> tuple[int, str, int, str, str]:
    return ORDER[found.severity], found.file, found.line, found.code, found.message
