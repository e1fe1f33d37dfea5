"""Stage F, resolution: the whole catalogue still fits together afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from openhands_recipes.model.gate import Finding
from openhands_recipes.publish.gate.case import Case
from openhands_recipes.publish.gate.rules import Code, finding

SHOWN = 8
TOLD = 20
"""Dependants told one by one; of more, the number."""
OF_STATE = {"yanked": Code.YANKED_BASE, "blocked": Code.BLOCKED_BASE, "deprecated": Code.DEPRECATED_BASE}


def listed(names: tuple[str, ...] | list[str]) -> str:
    """Some names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def dependants_compose(case: Case) -> Iterator[Finding]:
    """What builds on a touched recipe still composes, its ranges and packages included."""
    told: Counter[str] = Counter()
    for dependant in case.dependants:
        via = case.recipe(dependant.via)
        if not dependant.faults or (via is not None and via.after is None):
            continue  # that a removed module is missed is told once, by `used_stay`
        told[dependant.via] += 1
        if told[dependant.via] > TOLD:
            continue
        first = dependant.faults[0]
        if first.code == Code.NOT_ASKED:
            yield first
            continue
        message = f"'{dependant.name}' breaks with this: {first.message}"
        hint = f"change 'recipes/{dependant.via}' so that it keeps fitting, or widen the range there first"
        yield finding(Code.DEPENDANT_BREAKS, message, first.file, line=first.line, hint=hint)
    for name, count in told.items():
        if count > TOLD:
            message = f"{count - TOLD:,} more dependants of '{name}' break with this"
            yield finding(Code.DEPENDANT_BREAKS, message, f"recipes/{name}/recipe.yaml")


def dependants_fresh(case: Case) -> Iterator[Finding]:
    """What builds on a recipe that is locked again is locked again with it."""
    stale: dict[str, list[str]] = {}
    for dependant in case.dependants:
        if dependant.stale and not dependant.faults:
            stale.setdefault(dependant.via, []).append(dependant.name)
    for via, names in stale.items():
        message = f"the locks of {listed(sorted(names))} no longer belong to '{via}'"
        hint = f"run `ohr lock {' '.join(sorted(names)[:SHOWN])}` and commit the locks with it"
        yield finding(Code.DEPENDANT_STALE, message, f"recipes/{via}/recipe.lock.json", hint=hint)


def used_stay(case: Case) -> Iterator[Finding]:
    """A recipe that others extend is not removed."""
    for recipe in case.recipes:
        if recipe.after is not None or recipe.before is None:
            continue
        users = case.direct.get(recipe.name, ())
        if users:
            message = f"'{recipe.name}' is removed, and {listed(users)} extends it"
            hint = "move those first; until then deprecate it with `ohr deprecate`"
            yield finding(Code.USED_REMOVED, message, recipe.file, hint=hint)
        message = f"'{recipe.name}' is removed; what was published of it stays"
        yield finding(
            Code.REMOVED, message, recipe.file, hint="`ohr deprecate` tells users what to take instead"
        )


def bases_usable(case: Case) -> Iterator[Finding]:
    """Nothing new builds on a release that was withdrawn."""
    for recipe, side in case.present:
        if side.composed is None:
            continue
        for level in side.composed.levels[:-1]:
            state = case.states.get(f"{level.name}@{level.version}")
            code = OF_STATE.get(state.name) if state else None
            if state is None or code is None:
                continue
            reason = f": {state.reason}" if state.reason else ""
            message = f"'{recipe.name}' builds on {level.name} {level.version}, which is {state.name}{reason}"
            hint = f"take {state.successor} instead" if state.successor else "wait for its next version"
            yield finding(code, message, recipe.file, hint=hint)


RESOLUTION: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    dependants_compose, dependants_fresh, used_stay, bases_usable,
)  # fmt: skip
