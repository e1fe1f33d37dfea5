"""A module of many: what becomes of its dependants is told without a hundred thousand lines."""

from __future__ import annotations

from openhands_recipes.compile.recipe.compose import compose
from openhands_recipes.compile.recipe.parse import parse
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.gate import Finding
from openhands_recipes.publish.gate.case import Case, Dependant, Side, TouchedRecipe
from openhands_recipes.publish.gate.permissions import dependants_not_wider
from openhands_recipes.publish.gate.resolution import dependants_compose, dependants_fresh
from tests.integration.gate.registry import recipe


def composed(egress: str) -> Composed:
    body = f"permissions: {{network: {{egress: [{egress}]}}}}\n"
    parsed = parse(recipe("tool", body, extends="").encode(), file="recipes/tool/recipe.yaml")
    return compose("tool", {"tool": parsed})


def case_of(*dependants: Dependant) -> Case:
    base = TouchedRecipe("base", (), Side(), Side())
    return Case("b" * 40, "a" * 40, "2026-11-24", (), (), (base,), dependants=dependants)


def test_twenty_widened_dependants_are_told_and_the_others_counted() -> None:
    before, after = composed(""), composed("python-packages")
    found = list(
        dependants_not_wider(case_of(*(Dependant(f"r{n}", "base", before, after) for n in range(1234))))
    )
    assert len(found) == 21
    assert found[-1].message == "1,214 more dependants of 'base' may do more as well"
    assert {f.code for f in found} == {"OHR287"}


def test_twenty_broken_dependants_are_told_and_the_others_counted() -> None:
    fault = (Finding(code="OHR042", severity="error", message="it does not fit", file="x", line=3),)
    found = list(
        dependants_compose(case_of(*(Dependant(f"r{n}", "base", None, None, fault) for n in range(25))))
    )
    assert len(found) == 21
    assert found[0].line == 3
    assert found[-1].message == "5 more dependants of 'base' break with this"


def test_stale_dependants_are_one_finding() -> None:
    stale = (Dependant(f"r{n}", "base", None, None, stale="locked again") for n in range(100))
    (found,) = dependants_fresh(case_of(*stale))
    assert "and 92 more" in found.message
