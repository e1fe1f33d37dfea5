"""Stage B, documents: what `ohr check` says, and the one way in which a recipe is laid out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from openhands_recipes.model.gate import Finding
from openhands_recipes.publish.gate.case import FLAKE, RECIPE, Case
from openhands_recipes.publish.gate.rules import Code, finding
from openhands_recipes.publish.gate.texts import as_text, canonical_problems, has_schema_line

FIX = "`ohr gate --fix` mends it"


def checked(case: Case) -> Iterator[Finding]:
    """The recipe is right by itself and together with all it extends."""
    for recipe, _ in case.present:
        yield from recipe.faults


def canonical_form(case: Case) -> Iterator[Finding]:
    """A recipe's text tells editors its schema, and has its keys in their usual order."""
    for recipe, _ in case.present:
        for file in recipe.files:
            text = as_text(file.content) if file.content is not None and file.name == RECIPE else None
            if text is None:
                continue
            if not has_schema_line(text):
                message = "the first line does not tell editors the schema"
                yield finding(Code.SCHEMA_LINE, message, recipe.file, line=1, hint=FIX)
            for problem in canonical_problems(text):
                yield finding(Code.NOT_CANONICAL, problem, recipe.file, hint=FIX)


def flake_is_fresh(case: Case) -> Iterator[Finding]:
    """Where a recipe's flake data is committed, it is what the recipe compiles to."""
    for recipe, side in case.present:
        if side.stale_flake:
            file = recipe.folder + FLAKE
            message = f"{FLAKE} is not what recipe '{recipe.name}' compiles to"
            hint = f"put the recipe.json of `ohr flake {recipe.name}` there"
            yield finding(Code.STALE_FLAKE, message, file, hint=hint)


DOCUMENTS: tuple[Callable[[Case], Iterator[Finding]], ...] = (checked, canonical_form, flake_is_fresh)
