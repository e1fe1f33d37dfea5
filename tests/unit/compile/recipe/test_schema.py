"""The published schemas are the models'."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from openhands_recipes.compile.recipe.schema import SCHEMAS, schema_of, schema_text
from openhands_recipes.model.forms import WORDS
from tests.recipe_texts import TREE


@pytest.mark.parametrize("file", sorted(SCHEMAS))
def test_the_committed_schema_is_what_the_models_say(file: str, golden: Callable[[Path, str], None]) -> None:
    golden(TREE / "schema" / file, schema_text(file))


@pytest.mark.parametrize("file", sorted(SCHEMAS))
def test_a_schema_is_a_schema(file: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema_of(file))


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for below in value.values():
            yield from nodes(below)
    elif isinstance(value, list):
        for below in value:
            yield from nodes(below)


@pytest.mark.parametrize("file", sorted(SCHEMAS))
def test_every_pattern_has_words_for_those_who_miss_it(file: str) -> None:
    patterns = {node["pattern"] for node in nodes(schema_of(file)) if isinstance(node.get("pattern"), str)}
    assert patterns <= WORDS.keys()


@pytest.mark.parametrize("file", sorted(SCHEMAS))
def test_every_field_has_a_description(file: str) -> None:
    schema = schema_of(file)
    for name, record in [("", schema), *schema["$defs"].items()]:
        for field, value in record["properties"].items():
            assert value.get("description"), f"{name}.{field}"


@pytest.mark.parametrize("file", sorted(SCHEMAS))
def test_no_key_may_be_empty_or_unknown(file: str) -> None:
    for node in nodes(schema_of(file)):
        assert node.get("type") != "null"
        if "properties" in node and "type" in node:
            assert node["additionalProperties"] is False


def test_the_registrys_own_files_keep_their_schemas() -> None:
    pairs = [(TREE / "recipes" / "registry.yaml", "registry.schema.json")]
    pairs += [(path, "recipe.schema.json") for path in sorted((TREE / "recipes").glob("*/recipe.yaml"))]
    for path, file in pairs:
        document = yaml.safe_load(path.read_text())
        if "end_of_life" in document:
            document["end_of_life"] = str(document["end_of_life"])  # YAML 1.1 reads a date
        jsonschema.validate(document, schema_of(file))
        schema = f"$schema={'../' * (len(path.relative_to(TREE).parts) - 1)}schema/{file}"
        assert schema in path.read_text(), path
