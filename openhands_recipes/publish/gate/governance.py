"""Governance: do the right people agree, and do the gate's own lists only get stricter?"""

from __future__ import annotations

from collections.abc import Iterator

from openhands_recipes.model.gate import Demand, Finding, Lane
from openhands_recipes.model.gate_settings import Ratchet
from openhands_recipes.publish.gate.case import Case
from openhands_recipes.publish.gate.rules import Code, finding
from openhands_recipes.publish.gate.shape import policy_paths

EVENT_HINT = "hand in the forge's event and reviews with --event FILE"


def judge_people(case: Case, lane: Lane | None, now: str) -> Iterator[Finding]:
    """What is still missing before people have agreed. Moments are ISO 8601, UTC, to the second."""
    if policies := policy_paths(case):
        message = (
            f"{', '.join(policies[:4])}{' and more' if len(policies) > 4 else ''} decides what the gate does"
        )
        yield finding(Code.POLICY, message, policies[0], hint="see 'Changing the rules' in docs/gate.md")
    if case.owners is None:
        hint = "add a file OWNERS to the base branch; see docs/gate.md"
        yield finding(Code.NO_OWNERS, "the base has no file OWNERS", "OWNERS", hint=hint)
    if case.submission is None or lane is None:
        message = "author, approvals and waiting time were not judged"
        yield finding(Code.NOT_JUDGED, message, hint=EVENT_HINT)
        return
    if case.submission.head != case.head:
        message = f"the event is about {case.submission.head[:10]}, judged was {case.head[:10]}"
        yield finding(Code.OTHER_HEAD, message, hint="judge the commit the event names")
    yield from (_missing(demand) for demand in lane.demands if not demand.is_met)
    if lane.wait_until is not None and now < lane.wait_until:
        yield finding(
            Code.WAITS, f"a new recipe stays open until {lane.wait_until}", hint="nothing to do but wait"
        )
    yield from _reviews(case)


def _missing(demand: Demand) -> Finding:
    missing = demand.count - len(demand.given)
    left = [str(person) for person in demand.anyone_of if person not in demand.given]
    message = f"{missing} more approval{'s' * (missing > 1)} of the last commit needed: {demand.by}"
    hint = f"may approve: {', '.join(left)}" if left else ""
    if len(left) < missing:
        hint += f"{'; ' * bool(hint)}too few can: name more people in OWNERS (the author never counts)"
    return finding(Code.APPROVALS, message, hint=hint)


def _reviews(case: Case) -> Iterator[Finding]:
    if case.submission is None:
        return
    for review in case.submission.reviews:
        if review.state == "changes-requested" and review.user != case.submission.author:
            message = f"{review.user} asks for changes"
            yield finding(
                Code.CHANGES_REQUESTED, message, hint="answer, and let them approve or take it back"
            )
        elif review.state == "approved" and review.commit != case.head:
            message = f"{review.user} approved {review.commit[:10]}, which is not the last commit"
            yield finding(Code.OLD_APPROVAL, message, hint="ask them to look at what came since")


def judge_ratchet(case: Case) -> Iterator[Finding]:
    """The list of old faults never grows."""
    if case.new_ratchet is None:
        return
    before, after = counts_of(case.ratchet), counts_of(case.new_ratchet)
    for (rule, path), count in sorted(after.items()):
        if count > before.get((rule, path), 0):
            message = (
                f"{rule} in '{path}' is to be tolerated {count} times, {before.get((rule, path), 0)} before"
            )
            hint = "mend the fault instead; what must stay for a while needs a named skip with a date"
            yield finding(Code.RATCHET_GREW, message, "recipes/ratchet.yaml", hint=hint)


def counts_of(ratchet: Ratchet) -> dict[tuple[str, str], int]:
    """How many findings of which rule are tolerated in which file."""
    counts: dict[tuple[str, str], int] = {}
    for fault in ratchet.faults:
        key = (fault.rule, fault.path)
        counts[key] = counts.get(key, 0) + fault.count
    return counts
