"""Stage C, metadata: who answers for a recipe, what proves it, how long it lives."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date

from semantic_version import Version

from openhands_recipes.model.gate import Finding
from openhands_recipes.model.recipe import Maintainer, Recipe
from openhands_recipes.publish.gate.case import CHANGELOG, Case, TouchedRecipe
from openhands_recipes.publish.gate.kinds import Kind, new_versions
from openhands_recipes.publish.gate.rules import Code, finding

SHORTEST = 40
"""Characters of a description that says more than the summary."""
FAR_YEARS = 10
ONLY_VERSION = re.compile(r"\s*(\S+\s+(--version|-version|-V|version)\s*([|;&]+|$)\s*)+", re.MULTILINE)
HEADING = re.compile(r"^#{1,4}\s*\[?v?(?P<version>[0-9]+\.[0-9]+\.[0-9]+[^\]\s]*)", re.MULTILINE)


def described(case: Case) -> Iterator[Finding]:
    """A recipe says for whom it is and what is in it."""
    for recipe, side in case.present:
        if (
            side.recipe is not None
            and not recipe.only_locked
            and len(side.recipe.description.strip()) < SHORTEST
        ):
            message = f"recipe '{recipe.name}' has no description of at least {SHORTEST} characters"
            hint = "say in 'description' for what work it is meant, and what it does not cover"
            yield finding(Code.NO_DESCRIPTION, message, recipe.file, hint=hint)


def licence_stays(case: Case) -> Iterator[Finding]:
    """The licence of what people already use is not changed unnoticed."""
    for recipe in case.recipes:
        if recipe.sides and recipe.sides[0].license != recipe.sides[1].license:
            before, after = recipe.sides
            message = f"the licence changes from {before.license} to {after.license}"
            yield finding(
                Code.LICENCE_CHANGED, message, recipe.file, hint="say in the pull request who agreed"
            )


def new_maintainers(recipe: TouchedRecipe) -> tuple[Maintainer, ...]:
    """Who is named as maintainer for the first time."""
    after = recipe.after.recipe if recipe.after else None
    known = (
        {m.id for m in recipe.before.recipe.maintainers} if recipe.before and recipe.before.recipe else set()
    )
    return tuple(m for m in after.maintainers if m.id not in known) if after else ()


def consented(case: Case) -> Iterator[Finding]:
    """Whoever becomes a maintainer has agreed: by sending it, or by approving its last commit."""
    if case.submission is None:
        return
    agreed = {case.submission.author} | {
        r.user for r in case.submission.reviews if r.state == "approved" and r.commit == case.head
    }
    for recipe in case.recipes:
        for person in new_maintainers(recipe):
            if person.id not in agreed:
                who = f"{person.github} ({person.id})"
                message = f"{who} becomes a maintainer of '{recipe.name}' and has not agreed"
                hint = f"let {person.github} approve the pull request: that is the record of it"
                yield finding(Code.NO_CONSENT, message, recipe.file, hint=hint)


def maintainers_stay(case: Case) -> Iterator[Finding]:
    """Nobody is taken off the list by others unnoticed."""
    for recipe in case.recipes:
        if recipe.sides is None:
            continue
        left = {m.id for m in recipe.sides[1].maintainers}
        author = case.submission.author if case.submission else 0
        for person in recipe.sides[0].maintainers:
            if person.id not in left and person.id != author:
                message = f"{person.github} ({person.id}) is no longer a maintainer of '{recipe.name}'"
                yield finding(
                    Code.MAINTAINER_LEFT, message, recipe.file, hint=f"ask {person.github} to approve it"
                )


def tested(case: Case) -> Iterator[Finding]:
    """A recipe proves by tests of its own that it does its work."""
    for recipe, side in case.present:
        own = side.recipe
        if own is None or recipe.only_locked:
            continue
        if not own.tests:
            hint = "add tests that do the work the sandbox is for"
            yield finding(Code.NO_TESTS, f"recipe '{recipe.name}' has no tests", recipe.file, hint=hint)
        elif all(_only_version(test.run) for test in own.tests):
            message = "every test only prints a version, which proves little"
            yield finding(
                Code.VERSION_TESTS, message, recipe.file, hint="compile and run, query, install: do the work"
            )


def _only_version(script: str) -> bool:
    return ONLY_VERSION.fullmatch(script.strip()) is not None


def end_is_sane(case: Case) -> Iterator[Finding]:
    """An end of life lies ahead, and not in another age."""
    today = date.fromisoformat(case.today)
    for recipe, side in case.present:
        end = _end_of(side.recipe)
        if end is None or recipe.only_locked:
            continue
        if end <= today:
            message = f"the end of life, {end}, has passed"
            yield finding(
                Code.PAST_END, message, recipe.file, hint="take what upstream says, or remove the recipe"
            )
        elif end.year > today.year + FAR_YEARS:
            message = f"the end of life, {end}, is more than {FAR_YEARS} years away"
            yield finding(Code.FAR_END, message, recipe.file, hint="take the date that upstream promises")


def _end_of(recipe: Recipe | None) -> date | None:
    if recipe is None or recipe.end_of_life is None:
        return None
    try:
        return date.fromisoformat(recipe.end_of_life)
    except ValueError:  # `ohr check` tells it
        return None


def breaking_is_told(case: Case) -> Iterator[Finding]:
    """A change that breaks something for users stands in the recipe's changelog."""
    for new in new_versions(case):
        found, version, folder = new.differences, new.after, new.recipe.folder
        breaks = bool(found) and found[0].kind is Kind.MAJOR
        breaks |= Version(version).major > Version(new.before).major
        if breaks and version not in {match["version"] for match in HEADING.finditer(new.side.changelog)}:
            reason = found[0].text if found else "the major number is raised"
            message = f"{version} breaks something ({reason}) and {CHANGELOG} has no heading for it"
            hint = f"add '## {version}' to {folder}{CHANGELOG} and say what users must do"
            yield finding(Code.NO_CHANGELOG, message, folder + CHANGELOG, hint=hint)


METADATA: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    described, licence_stays, consented, maintainers_stay, tested, end_is_sane, breaking_is_told,
)  # fmt: skip
