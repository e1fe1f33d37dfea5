"""In which order a recipe and everything it extends are stacked: C3, as Python orders base classes.

See Barrett et al., "A Monotonic Superclass Linearization for Dylan" (1996). A recipe comes after all it
extends; of two bases the one named first is nearer to the recipe, so it is stacked later.
"""

from __future__ import annotations

from collections.abc import Mapping

from openhands_recipes.compile.recipe.faults import Code, Fault, did_you_mean, error_of
from openhands_recipes.compile.recipe.parse import ParsedRecipe
from openhands_recipes.compile.recipe.ranges import allows
from openhands_recipes.errors import RecipesError, ResolutionError

MAX_LINEAGE = 48
"""More ancestors than an image could have layers for (design section 7: at most 60 layers of ours)."""


def lineage_of(name: str, recipes: Mapping[str, ParsedRecipe]) -> tuple[str, ...]:
    """A recipe and all it extends, lowest ancestor first, the recipe itself last.

    Raises:
        ResolutionError: unknown bases, wrong versions, circles, or no order.
    """
    bases = _reachable(name, recipes)
    orders: dict[str, tuple[str, ...]] = {}
    for member in bases:  # bases come before those that extend them
        orders[member] = _c3(member, bases[member], orders, recipes)
    return orders[name][::-1]


def bases_of(
    parsed: ParsedRecipe, recipes: Mapping[str, ParsedRecipe]
) -> tuple[tuple[str, ...], list[Fault]]:
    """The usable bases a recipe names, and a fault for each one that is not."""
    bases: list[str] = []
    faults: list[Fault] = []
    for i, entry in enumerate(parsed.recipe.extends):
        base, _, wanted = entry.partition("@")
        problem = _problem(parsed, base, wanted, recipes)
        if problem is None:
            bases.append(base)
        else:
            code, message, hint = problem
            faults.append(parsed.fault(code, message, "extends", i, hint=hint))
    return tuple(bases), faults


def _problem(
    parsed: ParsedRecipe, base: str, wanted: str, recipes: Mapping[str, ParsedRecipe]
) -> tuple[Code, str, str | None] | None:
    name = parsed.name
    if "/" in base and base not in recipes:
        message = f"recipe '{name}' extends '{base}' of another registry, which is not to be had here"
        hint = "extend a module that its registry's signed index has, or a recipe of this one"
        return Code.OTHER_REGISTRY, message, hint
    if base not in recipes:
        hint = did_you_mean(base, recipes) or f"`ohr new {base}` starts it"
        return Code.UNKNOWN_BASE, f"recipe '{name}' extends unknown base '{base}'", hint
    if wanted and not allows(wanted, recipes[base].recipe.version):
        found = recipes[base]
        message = f"recipe '{name}' extends '{base}@{wanted}', but '{base}' is {found.recipe.version}"
        hint = f"the version stands in {found.origin('version')}; change the range or take another base"
        return Code.BASE_VERSION, message, hint
    return None


def _reachable(name: str, recipes: Mapping[str, ParsedRecipe]) -> dict[str, tuple[str, ...]]:
    """Everything a recipe extends, directly or not, each with its bases, bases first."""
    done: dict[str, tuple[str, ...]] = {}
    trail: list[tuple[str, tuple[str, ...], int]] = []
    faults: list[Fault] = []

    def enter(member: str) -> None:
        bases, wrong = bases_of(recipes[member], recipes)
        faults.extend(wrong)
        trail.append((member, bases, 0))

    enter(name)
    while trail:
        member, bases, position = trail.pop()
        if position == len(bases):
            done[member] = bases
            continue
        trail.append((member, bases, position + 1))
        base = bases[position]
        on_trail = [m for m, _, _ in trail]
        if base in on_trail:
            faults.append(_circle([*on_trail[on_trail.index(base) :], base], recipes))
        elif base not in done:
            if len(trail) >= MAX_LINEAGE:
                raise _too_long(recipes[name])
            enter(base)
    if faults:
        raise error_of(tuple(dict.fromkeys(faults)), ResolutionError)
    if len(done) > MAX_LINEAGE:
        raise _too_long(recipes[name])
    return done


def _too_long(parsed: ParsedRecipe) -> RecipesError:
    message = f"recipe '{parsed.name}' builds on more than {MAX_LINEAGE} recipes"
    fault = parsed.fault(Code.NO_ORDER, message, "extends", hint="merge some of them into one module")
    return error_of((fault,), ResolutionError)


def _circle(names: list[str], recipes: Mapping[str, ParsedRecipe]) -> Fault:
    steps = [f"'{name}' ({recipes[name].origin('extends')})" for name in names[:-1]]
    message = f"recipes extend each other in a circle: {' -> '.join(steps)} -> '{names[-1]}'"
    first = recipes[names[0]]
    return first.fault(Code.CYCLE, message, "extends", hint="take one of these bases out")


def _c3(
    name: str,
    bases: tuple[str, ...],
    orders: Mapping[str, tuple[str, ...]],
    recipes: Mapping[str, ParsedRecipe],
) -> tuple[str, ...]:
    """The recipe first, its lowest ancestor last."""
    if len(bases) == 1:
        return (name, *orders[bases[0]])
    pending = [(base, list(orders[base])) for base in bases] + [(name, list(bases))]
    merged = [name]
    while pending := [(owner, order) for owner, order in pending if order]:
        behind = {member for _, order in pending for member in order[1:]}
        head = next((order[0] for _, order in pending if order[0] not in behind), None)
        if head is None:
            raise error_of((_no_order(name, pending, recipes),), ResolutionError)
        merged.append(head)
        for _, order in pending:
            if order[0] == head:
                del order[0]
    return tuple(merged)


def _no_order(name: str, pending: list[tuple[str, list[str]]], recipes: Mapping[str, ParsedRecipe]) -> Fault:
    """The wishes that contradict each other: each head waits for another one, so they wait in a circle."""
    head, seen, wishes = pending[0][1][0], [], []
    while head not in seen:
        seen.append(head)
        owner, order = next((o, members) for o, members in pending if head in members[1:])
        place = recipes[owner].origin("extends")
        wishes.append((order[0], f"'{owner}' ({place}) wants '{order[0]}' nearer than '{head}'"))
        head = order[0]
    circle = [text for _, text in wishes[seen.index(head) :]]
    message = f"the bases of '{name}' cannot be put in order: {', '.join(circle)}"
    return recipes[name].fault(Code.NO_ORDER, message, "extends", hint=_order_hint(name, recipes))


def _order_hint(name: str, recipes: Mapping[str, ParsedRecipe]) -> str:
    """What to change: most often a base is named before another one that extends it anyway."""
    bases = bases_of(recipes[name], recipes)[0]
    for i, base in enumerate(bases):
        for later in bases[i + 1 :]:
            if base in lineage_of(later, recipes):
                return f"'{later}' extends '{base}' already: leave '{base}' out, or name it after '{later}'"
    return "name the bases in the same order everywhere"
