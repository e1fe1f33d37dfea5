"""Lanes: by which rules a pull request merges, and who must agree. See docs/gate.md.

An approval counts if it is of the head commit, from somebody who is not the author and no machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from openhands_recipes.model.gate import Demand, Finding, Lane, LaneName, Submission
from openhands_recipes.model.owners import Owners
from openhands_recipes.publish.gate.case import Case, TouchedRecipe
from openhands_recipes.publish.gate.metadata import new_maintainers
from openhands_recipes.publish.gate.paths import matches
from openhands_recipes.publish.gate.permissions import widens
from openhands_recipes.publish.gate.rules import rule_of
from openhands_recipes.publish.gate.shape import policy_paths

REVIEWERS, SECURITY, POLICY = "reviewers", "security", "policy"


class Why(NamedTuple):
    """One reason why people must agree."""

    lane: LaneName
    reason: str
    demands: tuple[Demand, ...] = ()


def approvers(case: Case, submission: Submission) -> frozenset[int]:
    """Who approved the head commit and counts."""
    bots = case.owners.bot_ids if case.owners else frozenset()
    yes = {r.user for r in submission.reviews if r.state == "approved" and r.commit == case.head}
    return frozenset(yes - bots - {submission.author})


def owners_of(recipe: TouchedRecipe, owners: Owners) -> frozenset[int]:
    """Who answers for a recipe: its maintainers before the pull request, and groups that own its folder."""
    known = recipe.before.recipe if recipe.before else None
    people = frozenset(m.id for m in known.maintainers) if known else frozenset[int]()
    return people | _group_of(recipe.file, owners, below="recipes/")[1]


def _group_of(path: str, owners: Owners, *, below: str = "") -> tuple[tuple[str, ...], frozenset[int]]:
    """The groups that answer for a path, and their people; the last entry that matches counts.

    An entry for everything (`**`) makes nobody an owner of recipes: only those `below` count for them.
    """
    for entry in reversed(owners.paths):
        if entry.path.startswith(below) and matches(entry.path, path):
            return entry.groups, frozenset[int]().union(*(owners.members(group) for group in entry.groups))
    return (), frozenset()


def lane_of(case: Case, submission: Submission, findings: tuple[Finding, ...]) -> Lane:
    """The strictest lane that applies; what the others demand adds up."""
    owners = case.owners or Owners(schema=1, groups={})
    whys = list(_reasons(case, owners, submission, findings)) or [
        Why("update", "an owner's or a bot's update")
    ]
    demands = [_filled(d, case, submission) for why in whys for d in why.demands]
    strictest = whys[0]
    wait = _wait(case, submission) if any(why.lane == "new-recipe" for why in whys) else None
    reason = "; ".join(dict.fromkeys(why.reason for why in whys))
    return Lane(name=strictest.lane, reason=reason, demands=tuple(_distinct(demands)), wait_until=wait)


def _distinct(demands: Iterable[Demand]) -> Iterator[Demand]:
    seen: dict[tuple[str, tuple[int, ...]], Demand] = {}
    for demand in demands:
        known = seen.get((demand.by, demand.anyone_of))
        if known is None or known.count < demand.count:
            seen[demand.by, demand.anyone_of] = demand
    yield from seen.values()


def _reasons(
    case: Case, owners: Owners, submission: Submission, findings: tuple[Finding, ...]
) -> Iterator[Why]:
    """Every reason why people must agree, the strictest first."""
    wanted = case.settings.approvals
    if policy_paths(case):
        yield Why("policy", "what decides the gate is changed", (_group(POLICY, owners, wanted.policy),))
    if widens(findings):
        demands = [_group(SECURITY, owners, 1)]
        if wanted.widening > 1:
            demands.append(_anyone(case, owners, wanted.widening))
        yield Why("widening", "permissions widen", tuple(demands))
    if any(recipe.after is None for recipe in case.recipes):
        yield Why("removal", "a recipe is removed", (_group(REVIEWERS, owners, 1),))
    if any(recipe.before is None for recipe in case.recipes):
        yield Why("new-recipe", "a recipe is new", (_group(REVIEWERS, owners, wanted.new_recipe),))
    yield from _changes(case, owners, submission)
    yield from _projects(case, owners)
    yield from _consents(case, findings)
    if any(f.severity == "human" and not rule_of(f.code).demand and rule_of(f.code).stage for f in findings):
        yield Why("change", "a finding needs a person's judgement", (_group(REVIEWERS, owners, 1),))


def _changes(case: Case, owners: Owners, submission: Submission) -> Iterator[Why]:
    """Known recipes changed by somebody who does not own them, or in more than their version."""
    for recipe in case.recipes:
        if recipe.before is None or recipe.after is None:
            continue
        known = owners_of(recipe, owners)
        if submission.author in known or (recipe.only_locked and _follows(recipe, case, owners, submission)):
            continue
        reason = f"'{recipe.name}' is changed by somebody who does not own it"
        people = known | owners.members(REVIEWERS)
        yield Why(
            "change",
            reason,
            (Demand(count=1, by=f"an owner of {recipe.name}", anyone_of=tuple(sorted(people))),),
        )


def _follows(recipe: TouchedRecipe, case: Case, owners: Owners, submission: Submission) -> bool:
    """Whether a recipe is only locked again: by a bot, or along with a module of the author's."""
    if submission.author in owners.bot_ids:
        return True
    lineage = recipe.after.composed.lineage[:-1] if recipe.after and recipe.after.composed else ()
    modules = [other for other in case.recipes if other.name in lineage and not other.only_locked]
    return any(submission.author in owners_of(module, owners) for module in modules)


def _projects(case: Case, owners: Owners) -> Iterator[Why]:
    """Paths outside recipes that decide nothing about the gate."""
    policy = set(policy_paths(case))
    groups: dict[tuple[str, ...], frozenset[int]] = {}
    recipes = {recipe.name for recipe in case.recipes}
    for file in case.files:
        if file.change.recipe not in recipes and file.path not in policy:
            names, people = _group_of(file.path, owners)
            groups[names] = people
    for names, people in groups.items():
        by = f"group {' or '.join(names)}" if names else "nobody: OWNERS names no group for it"
        yield Why(
            "project",
            "the project itself is changed",
            (Demand(count=1, by=by, anyone_of=tuple(sorted(people))),),
        )


def _consents(case: Case, findings: tuple[Finding, ...]) -> Iterator[Why]:
    if not any(rule_of(f.code).demand == "consent" for f in findings):
        return
    for recipe in case.recipes:
        for person in new_maintainers(recipe):
            if case.submission is not None and person.id != case.submission.author:
                yield Why(
                    "change",
                    "a new maintainer must agree",
                    (Demand(count=1, by=f"{person.github} themself", anyone_of=(person.id,)),),
                )


def _group(name: str, owners: Owners, count: int) -> Demand:
    return Demand(count=count, by=f"group {name}", anyone_of=tuple(sorted(owners.members(name))))


def _anyone(case: Case, owners: Owners, count: int) -> Demand:
    people = owners.members(REVIEWERS) | owners.members(SECURITY)
    people = people.union(*(owners_of(recipe, owners) for recipe in case.recipes))
    return Demand(count=count, by="owners, reviewers or security", anyone_of=tuple(sorted(people)))


def _filled(demand: Demand, case: Case, submission: Submission) -> Demand:
    """The demand with the approvals there are, and without those who cannot approve here."""
    bots = case.owners.bot_ids if case.owners else frozenset()
    people = tuple(p for p in demand.anyone_of if p != submission.author and p not in bots)
    given = tuple(sorted(approvers(case, submission) & set(people)))
    return demand.model_copy(update={"anyone_of": people, "given": given})


def _wait(case: Case, submission: Submission) -> str | None:
    hours = case.settings.approvals.new_recipe_hours
    if not hours:
        return None
    opened = datetime.fromisoformat(submission.opened)
    return (opened + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
