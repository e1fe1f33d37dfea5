"""What counts as the same name, a look-alike, a near one."""

from __future__ import annotations

import pytest

from openhands_recipes.model.gate import Change
from openhands_recipes.model.gate_settings import GateSettings, Names
from openhands_recipes.publish.gate.case import Case, Side, TouchedFile, TouchedRecipe
from openhands_recipes.publish.gate.names import folded, looks, not_near, not_reserved, not_taken

KNOWN = ("python", "node", "go", "python-311", "modern-tools", "clojure")


def case(name: str, *, known: tuple[str, ...] = KNOWN, names: Names | None = None) -> Case:
    path = f"recipes/{name}/recipe.yaml"
    file = TouchedFile(Change(path, 0, 0o100644, "", "1" * 40), b"x\n", 2)
    new = TouchedRecipe(name, (file,), None, Side())
    settings = GateSettings(names=names or Names(protected=("kotlin",)))
    return Case("b" * 40, "a" * 40, "2026-11-24", (file,), (), (new,), settings=settings, names=known)


def codes(one: Case) -> list[str]:
    rules = (not_reserved, not_taken, not_near)
    return [found.code for rule in rules for found in rule(one)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("py-thon", ["OHR223"]),
        ("pyth0n", ["OHR225"]),
        ("modem-tools", ["OHR225"]),
        ("ciojure", ["OHR225"]),
        ("pyhton", ["OHR224"]),
        ("pythons", ["OHR224"]),
        ("pythonette", []),
        ("nodes", ["OHR224"]),
        ("code", ["OHR224"]),
        ("c0de", []),
        ("gi", ["OHR224"]),
        ("rs", []),
        ("python-312", []),
        ("python-31", []),
        ("k0tlin", ["OHR225"]),
        ("latest", ["OHR222"]),
        ("late-st", ["OHR222"]),
        ("ohr-tools", ["OHR222"]),
        ("web-scraping", []),
    ],
)
def test_a_new_name_is_compared_with_all_there_are(name: str, expected: list[str]) -> None:
    assert codes(case(name)) == expected


def test_a_known_recipe_may_resemble_what_it_likes() -> None:
    (new,) = case("pyhton").recipes
    old = TouchedRecipe(new.name, new.files, Side(), Side())
    one = Case("b" * 40, "a" * 40, "2026-11-24", new.files, (), (old,), names=KNOWN)
    assert codes(one) == []


def test_folding_and_looks_have_fixed_points() -> None:
    for name in KNOWN:
        assert folded(folded(name)) == folded(name)
        assert looks(looks(name)) == looks(name)
