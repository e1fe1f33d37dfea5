"""Stage B, names: a new recipe cannot be taken for another one.

Distances are those of Damerau and Levenshtein (optimal string alignment), counted by the `rapidfuzz`
library: a hundred thousand names take a hundredth of a second.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from openhands_recipes.model.gate import Finding
from openhands_recipes.publish.gate.case import Case, TouchedRecipe
from openhands_recipes.publish.gate.rules import Code, finding

LOOKS = (
    *(("0", "o"), ("1", "l"), ("i", "l"), ("5", "s"), ("8", "b"), ("2", "z")),
    *(("rn", "m"), ("vv", "w"), ("cl", "d")),
)
"""What is read for what, in most fonts; all of one kind become the same. Single letters first."""
SHORT = 5
"""Names up to this length are near only at distance 1: among few letters everything is near."""
NUMBER = re.compile(r"-?[0-9]+$")
MOST = 3


def folded(name: str) -> str:
    """A name without case, hyphens and underscores."""
    return re.sub(r"[-_.]", "", name.casefold())


def looks(name: str) -> str:
    """What a name looks like at a glance; two that look alike come to the same."""
    text = folded(name)
    for seen, meant in LOOKS:
        text = text.replace(seen, meant)
    return text


def _new(case: Case) -> Iterator[TouchedRecipe]:
    return (recipe for recipe in case.recipes if recipe.before is None and recipe.after is not None)


def _known(case: Case, recipe: TouchedRecipe) -> list[str]:
    names = dict.fromkeys((*case.names, *case.settings.names.protected))
    return [name for name in names if name != recipe.name]


def not_reserved(case: Case) -> Iterator[Finding]:
    """The name is not one that nobody may have."""
    reserved = {folded(name) for name in case.settings.names.reserved}
    for recipe in _new(case):
        if folded(recipe.name) in reserved or recipe.name.startswith("ohr-"):
            hint = "choose a name that says what the sandbox is for"
            yield finding(Code.RESERVED, f"the name '{recipe.name}' is reserved", recipe.file, hint=hint)


def not_taken(case: Case) -> Iterator[Finding]:
    """The name is no other one's with hyphens moved, and does not look like one."""
    for recipe in _new(case):
        fold, look = folded(recipe.name), looks(recipe.name)
        for other in _known(case, recipe):
            if folded(other) == fold:
                message = f"'{recipe.name}' is '{other}' but for hyphens"
                yield finding(Code.SAME_FOLDED, message, recipe.file, hint="choose another name")
            elif looks(other) == look:
                message = f"'{recipe.name}' looks like '{other}'"
                yield finding(Code.LOOKS_LIKE, message, recipe.file, hint="choose another name")


def not_near(case: Case) -> Iterator[Finding]:
    """The name is not nearly another one. A person decides; `python-311` beside `python-312` is no fault."""
    if not any(True for _ in _new(case)):
        return
    from rapidfuzz import process  # noqa: PLC0415 - only new names need it
    from rapidfuzz.distance import OSA  # noqa: PLC0415

    for recipe in _new(case):
        limit = 1 if len(recipe.name) <= SHORT else 2
        near = process.extract(
            recipe.name, _known(case, recipe), scorer=OSA.distance, score_cutoff=limit, limit=50
        )
        others = [
            name
            for name, _, _ in sorted(near, key=lambda found: (found[1], found[0]))
            if _is_near(recipe.name, name)
        ]
        if others:
            message = f"'{recipe.name}' is nearly {', '.join(repr(name) for name in others[:MOST])}"
            hint = "choose a name that nobody mistypes, or say in the pull request why it must be this one"
            yield finding(Code.NEAR_NAME, message, recipe.file, hint=hint)


def _is_near(name: str, other: str) -> bool:
    """Whether the difference is more than a number at the end, and not already told as looking alike."""
    same_series = (
        NUMBER.search(name) and NUMBER.search(other) and NUMBER.sub("", name) == NUMBER.sub("", other)
    )
    return not same_series and looks(name) != looks(other)


NAMES: tuple[Callable[[Case], Iterator[Finding]], ...] = (not_reserved, not_taken, not_near)
