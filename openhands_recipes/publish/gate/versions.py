"""Stage B, versions and locks: the next version says how much changes, and the lock belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from semantic_version import Version

from openhands_recipes.model.gate import Finding
from openhands_recipes.publish.gate.case import CLOSURE, Case, Side, TouchedRecipe
from openhands_recipes.publish.gate.kinds import Kind, new_versions
from openhands_recipes.publish.gate.rules import Code, finding

FIRST = frozenset({"0.0.1", "0.1.0", "1.0.0"})
SHOWN = 3
KINDS = {1: Kind.PATCH, 2: Kind.MINOR, 3: Kind.MAJOR}


def followers(version: str) -> tuple[str, ...]:
    """The versions that may come right after one; a pre-release may go before each of them."""
    now = Version(version)
    if now.prerelease:
        return (
            str(now.truncate()),
            *(str(step) for step in (now.next_patch(), now.next_minor(), now.next_major())),
        )
    return str(now.next_patch()), str(now.next_minor()), str(now.next_major())


def raised(before: str, after: str) -> Kind:
    """Which number of the version was raised."""
    old, new = Version(before), Version(after)
    if new.major != old.major:
        return Kind.MAJOR
    if new.minor != old.minor:
        return Kind.MINOR
    return Kind.PATCH if after != before else Kind.NONE


def in_order(case: Case) -> Iterator[Finding]:
    """A new version is the next one: no number is left out, none goes back."""
    for recipe in case.recipes:
        if recipe.sides is None or recipe.sides[0].version == recipe.sides[1].version:
            continue
        before, after = recipe.sides[0].version, recipe.sides[1].version
        allowed = followers(before)
        new = Version(after)
        if new <= Version(before) or str(new.truncate()) not in allowed:
            message = f"{after} does not follow {before}"
            hint = f"the next version is {', '.join(allowed[:-1])} or {allowed[-1]}"
            yield finding(Code.VERSION_ORDER, message, recipe.file, hint=hint)


def first_version(case: Case) -> Iterator[Finding]:
    """A new recipe begins with a first version."""
    for recipe, side in case.present:
        if recipe.before is None and side.recipe is not None:
            version = Version(side.recipe.version)
            if str(version.truncate()) not in FIRST:
                message = f"a new recipe cannot begin with {side.recipe.version}"
                yield finding(Code.FIRST_VERSION, message, recipe.file, hint="begin with 0.1.0 or 1.0.0")


def kind_matches(case: Case) -> Iterator[Finding]:
    """The version promises at least as much change as there is."""
    for new in new_versions(case):
        found = new.differences
        needed = found[0].kind if found else Kind.NONE
        if new.before.startswith("0.") and needed is Kind.MAJOR:
            needed = Kind.MINOR  # semver 2.0.0, item 4: before 1.0.0 anything may change
        if raised(new.before, new.after) < needed:
            reasons = "; ".join(d.text for d in found[:SHOWN] if d.kind >= found[0].kind)
            message = f"{new.before} -> {new.after} is too small a step: {reasons}"
            hint = f"raise the {needed.word} number"
            yield finding(Code.CHANGE_KIND, message, new.recipe.file, hint=hint)


def locked(case: Case) -> Iterator[Finding]:
    """A recipe comes with its lock, fresh and as `ohr lock` wrote it."""
    for recipe, side in case.present:
        if side.recipe is None:
            continue  # what hides it is told by others
        if side.composed is not None and "debian" in side.composed.unavailable:
            yield from _closed(recipe, side)
        else:
            yield from _locked(recipe, side, side.recipe.version)


def _closed(recipe: TouchedRecipe, side: Side) -> Iterator[Finding]:
    if not side.has_closure:
        message = f"recipe '{recipe.name}', which only nixpkgs provides, was never locked for it"
        hint = f"run `ohr lock {recipe.name} --from nixpkgs` and commit {recipe.folder}{CLOSURE}"
        yield finding(Code.NO_LOCK, message, recipe.file, hint=hint)


def _locked(recipe: TouchedRecipe, side: Side, version: str) -> Iterator[Finding]:
    facts, hint = side.lock, f"run `ohr lock {recipe.name}` and commit {recipe.lock_file}"
    if facts.lock is None and not facts.problem:
        yield finding(Code.NO_LOCK, f"recipe '{recipe.name}' has no lock", recipe.file, hint=hint)
    elif facts.problem:
        yield finding(Code.LOCK_BY_HAND, facts.problem, recipe.lock_file, hint=hint)
    elif not facts.as_written:
        message = "the lock is not laid out as `ohr lock` writes it"
        yield finding(Code.LOCK_BY_HAND, message, recipe.lock_file, hint=hint)
    if facts.stale:
        yield finding(Code.STALE_LOCK, facts.stale, recipe.lock_file, hint=facts.stale_hint or hint)
    elif facts.lock is not None and facts.lock.version != version:
        message = f"the lock is of version {facts.lock.version}, the recipe is {version}"
        yield finding(Code.STALE_LOCK, message, recipe.lock_file, hint=hint)


VERSIONS: tuple[Callable[[Case], Iterator[Finding]], ...] = (in_order, first_version, kind_matches, locked)
