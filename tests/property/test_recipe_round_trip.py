"""What is printed is read back as the same recipe, by us and by an ordinary YAML reader."""

from __future__ import annotations

import yaml
from hypothesis import given, settings

from openhands_recipes.compile.recipe.parse import parse
from openhands_recipes.compile.recipe.print import document_of, to_yaml
from openhands_recipes.model.recipe import Recipe
from tests.strategies import Document, recipes


def read(document: Document) -> Recipe:
    return parse(to_yaml(document).encode(), file=f"recipes/{document['name']}/recipe.yaml").recipe


@given(recipes())
@settings(max_examples=200, deadline=None)
def test_a_printed_recipe_is_read_back_unchanged(document: Document) -> None:
    assert read(document) == Recipe.model_validate(document)


@given(recipes())
@settings(max_examples=200, deadline=None)
def test_a_recipe_keeps_exactly_what_its_document_says(document: Document) -> None:
    recipe = read(document)
    assert Recipe.model_validate(document_of(recipe)) == recipe
    assert to_yaml(document_of(read(document_of(recipe)))) == to_yaml(document_of(recipe))


@given(recipes())
@settings(max_examples=200, deadline=None)
def test_an_ordinary_yaml_reader_sees_the_same_document(document: Document) -> None:
    assert yaml.safe_load(to_yaml(document)) == document
