"""What composing promises, whatever the recipes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from openhands_recipes.compile.recipe.compose import compose
from openhands_recipes.compile.recipe.lineage import lineage_of
from openhands_recipes.compile.recipe.parse import ParsedRecipe, parse
from openhands_recipes.compile.recipe.print import effective_document, to_yaml
from openhands_recipes.compile.recipe.unions import UNITS
from openhands_recipes.errors import ResolutionError
from openhands_recipes.model.composed import Composed
from tests.recipe_texts import parsed
from tests.strategies import LOWER, Document, libraries, recipes

slow_to_draw = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None
)


def read(document: Document) -> ParsedRecipe:
    return parse(to_yaml(document).encode(), file=f"recipes/{document['name']}/recipe.yaml")


def read_all(library: Mapping[str, Document]) -> dict[str, ParsedRecipe]:
    return {name: read(document) for name, document in library.items()}


def outcome(name: str, library: Mapping[str, ParsedRecipe]) -> Composed | None:
    try:
        return compose(name, library)
    except ResolutionError:
        return None


def unordered(composed: Composed) -> Any:
    """The effective document without what the order of `extends` decides by promise."""
    document = effective_document(composed)
    document["path"] = sorted(document.get("path", []))
    document["tests"] = sorted(document.get("tests", []), key=lambda test: test["name"])
    return document


@given(libraries())
@slow_to_draw
def test_the_order_of_bases_decides_nothing_but_order(library: dict[str, Document]) -> None:
    turned = {n: d | ({"extends": d["extends"][::-1]} if "extends" in d else {}) for n, d in library.items()}
    name = max(library)
    one, other = read_all(library), read_all(turned)
    try:
        lineage_of(name, one), lineage_of(name, other)
    except ResolutionError:
        assume(False)  # an order that contradicts itself one way may not the other way
    first, second = outcome(name, one), outcome(name, other)
    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert unordered(first) == unordered(second)


def amount(quantity: str | None) -> float:
    if quantity is None:
        return 0
    if quantity.endswith("m"):
        return float(quantity[:-1]) / 1000
    return float(quantity[:-2]) * UNITS[quantity[-2:]] if quantity[-2:] in UNITS else float(quantity)


@given(libraries())
@slow_to_draw
def test_extending_only_adds(library: dict[str, Document]) -> None:
    everything = read_all(library)
    name = max(library)
    whole = outcome(name, everything)
    assume(whole is not None)
    assert whole is not None
    for base in whole.lineage[:-1]:
        part = outcome(base, everything)
        if part is None:
            continue
        assert {p.name for p in part.packages} <= {p.name for p in whole.packages}
        assert {t.name for t in part.tests} <= {t.name for t in whole.tests}
        assert {a.name for a in part.applications} <= {a.name for a in whole.applications}
        assert part.environment.keys() <= whole.environment.keys()
        assert part.files.keys() <= whole.files.keys()
        assert set(part.path) <= set(whole.path)
        assert set(part.permissions.devices) <= set(whole.permissions.devices)
        assert hosts(part) <= hosts(whole)
        assert (part.resources.gpu or 0) <= (whole.resources.gpu or 0)
        for key in ("cpu", "memory", "disk"):
            assert amount(getattr(part.resources, key)) <= amount(getattr(whole.resources, key))


def hosts(composed: Composed) -> set[tuple[str, int]]:
    rules = composed.permissions.network.egress
    return {
        (r, 0) if isinstance(r, str) else (r.host, port) for r in rules for port in getattr(r, "ports", (0,))
    }


@given(libraries())
@slow_to_draw
def test_a_composed_recipe_printed_as_one_composes_to_itself(library: dict[str, Document]) -> None:
    whole = outcome(max(library), read_all(library))
    assume(whole is not None)
    assert whole is not None
    document = effective_document(whole)
    again = compose(whole.name, {whole.name: read(document)})
    assert effective_document(again) == document


@given(recipes())
@slow_to_draw
def test_a_recipe_that_extends_nothing_says_what_it_says(document: Document) -> None:
    alone = compose(document["name"], {document["name"]: read(document)})
    assert alone.lineage == (document["name"],)
    assert alone.environment == document.get("environment", {})
    assert {t.name for t in alone.tests} == {t["name"] for t in document.get("tests", [])}


@given(libraries())
@slow_to_draw
def test_every_inherited_value_names_a_place_in_the_lineage(library: dict[str, Document]) -> None:
    whole = outcome(max(library), read_all(library))
    assume(whole is not None)
    assert whole is not None
    for path, origins in whole.origins.items():
        assert origins, path
        assert {origin.recipe for origin in origins} <= set(whole.lineage)
    for name in whole.environment:
        assert ("environment", name) in whole.origins


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    names = [f"m{letter}" for letter in LOWER[:7]]
    return {
        name: draw(st.lists(st.sampled_from(names[:i]), unique=True, max_size=3)) if i else []
        for i, name in enumerate(names)
    }


@given(graphs())
@settings(deadline=None)
def test_levels_are_ordered_as_python_orders_classes(graph: dict[str, list[str]]) -> None:
    library = {name: parsed(name, f"extends: [{', '.join(bases)}]\n") for name, bases in graph.items()}
    name = max(graph)
    try:
        classes: dict[str, type] = {}
        for member, bases in graph.items():
            classes[member] = type(member, tuple(classes[base] for base in bases), {})
    except TypeError:
        with pytest.raises(ResolutionError, match="cannot be put in order"):
            [lineage_of(member, library) for member in graph]
        return
    expected = [cls.__name__ for cls in classes[name].__mro__[:-1]]
    assert lineage_of(name, library) == tuple(reversed(expected))
