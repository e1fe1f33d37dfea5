"""What compiling to a flake promises, whatever the recipes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from openhands_recipes.compile.nix.flake import flake_data, read_flake_data, write_flake_data
from openhands_recipes.compile.nix.languages import parse_language_names
from openhands_recipes.compile.recipe.compose import compose
from openhands_recipes.compile.recipe.packages import parse_package_table
from openhands_recipes.compile.recipe.parse import ParsedRecipe, parse
from openhands_recipes.compile.recipe.print import to_yaml
from openhands_recipes.errors import ResolutionError
from openhands_recipes.model.platform import PLATFORMS
from tests.recipe_texts import TREE
from tests.strategies import Document, libraries, recipes

TABLE = parse_package_table((TREE / "nixlib" / "packages.toml").read_bytes(), file="packages.toml")
NAMES = parse_language_names((TREE / "nixlib" / "languages.toml").read_bytes(), file="languages.toml")
relaxed = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None, max_examples=60
)


def read(document: Document) -> ParsedRecipe:
    return parse(to_yaml(document).encode(), file=f"recipes/{document['name']}/recipe.yaml")


def compiled(name: str, library: dict[str, Document]) -> bytes | None:
    """The bytes of recipe.json; None where nixpkgs lacks something."""
    composed = compose(name, {key: read(document) for key, document in library.items()})
    try:
        return write_flake_data(flake_data(composed, TABLE, NAMES, platforms=PLATFORMS))
    except ResolutionError:
        return None


def shuffled(draw: Callable[[st.SearchStrategy[list[Any]]], list[Any]], value: Any) -> Any:
    """The same document with its lists and keys in another order; the order of `path` has a meaning."""
    if isinstance(value, dict):
        keys = draw(st.permutations(list(value)))
        ordered = {"path", "command", "entrypoint"}
        return {key: value[key] if key in ordered else shuffled(draw, value[key]) for key in keys}
    if isinstance(value, list):
        return [shuffled(draw, item) for item in draw(st.permutations(value))]
    return value


@given(recipes(), st.data())
@relaxed
def test_the_order_in_which_things_are_written_changes_no_byte(
    document: Document, data: st.DataObject
) -> None:
    other = shuffled(data.draw, document)
    one = compiled(document["name"], {document["name"]: document})
    assert one == compiled(document["name"], {document["name"]: other})


@given(libraries())
@relaxed
def test_flake_data_reads_back_as_it_was_written(library: dict[str, Document]) -> None:
    name = max(library)
    try:
        content = compiled(name, library)
    except ResolutionError:
        assume(False)
        raise
    if content is not None:
        assert write_flake_data(read_flake_data(content)) == content


@given(libraries())
@relaxed
def test_nothing_is_lost_silently(library: dict[str, Document]) -> None:
    """Every variable, folder, file, application and test is in the flake or among what it does without."""
    name = max(library)
    try:
        composed = compose(name, {key: read(document) for key, document in library.items()})
        data = flake_data(composed, TABLE, NAMES, platforms=PLATFORMS)
    except ResolutionError:
        return
    omitted = {(thing.kind, thing.name) for thing in data.omitted}
    for kind, names, kept in (
        ("variable", set(composed.environment), set(data.environment)),
        ("file", set(composed.files), set()),
        ("application", {a.name for a in composed.applications}, set()),
        ("test", {t.name for t in composed.tests}, {t.name for t in data.tests}),
    ):
        assert names == kept | {thing for of, thing in omitted if of == kind}, kind
    assert len(composed.path) == len(data.path) + sum(of == "path" for of, _ in omitted)
