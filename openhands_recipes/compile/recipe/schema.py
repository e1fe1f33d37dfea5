"""The models -> JSON Schema (draft 2020-12), for editors and for other implementations.

`schema/*.schema.json` hold its output and are never edited by hand; a test compares them. The schema
says the shape of a document; the rules beyond it are in `rules.py`.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from openhands_recipes.model.forms import WORDS
from openhands_recipes.model.gate_settings import GateSettings, Ratchet
from openhands_recipes.model.owners import Owners
from openhands_recipes.model.recipe import Recipe
from openhands_recipes.model.settings import Settings

SCHEMAS: dict[str, type[BaseModel]] = {
    "recipe.schema.json": Recipe,
    "registry.schema.json": Settings,
    "gate.schema.json": GateSettings,
    "ratchet.schema.json": Ratchet,
    "owners.schema.json": Owners,
}
"""File in `schema/` -> the model it describes."""
DRAFT = "https://json-schema.org/draft/2020-12/schema"
TITLES = {
    "recipe.schema.json": "Recipe",
    "registry.schema.json": "Registry settings",
    "gate.schema.json": "Settings of the pull-request gate",
    "ratchet.schema.json": "Old faults the gate tolerates",
    "owners.schema.json": "Who answers for what",
}


def schema_of(file: str) -> dict[str, Any]:
    """The schema that belongs in `schema/<file>`."""
    generated = _clean(SCHEMAS[file].model_json_schema(by_alias=True))
    head = {"$schema": DRAFT, "$id": file, "title": TITLES[file]}
    return head | {key: value for key, value in generated.items() if key != "title"}


def schema_text(file: str) -> str:
    """The content of `schema/<file>`."""
    return json.dumps(schema_of(file), indent=2, ensure_ascii=False) + "\n"


def _clean(node: Any) -> Any:  # noqa: ANN401 - any JSON value
    """What pydantic generates, as documents are read here: no nulls, keys checked, patterns explained."""
    if isinstance(node, list):
        return [_clean(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "properties" in node:  # its keys are names of fields, not words of JSON Schema
        fields = {name: _clean(schema) for name, schema in node["properties"].items()}
        node = node | {"properties": fields}
        return _without_noise(node | {k: _clean(v) for k, v in node.items() if k != "properties"})
    return _without_noise({key: _clean(value) for key, value in node.items()})


def _without_noise(node: dict[str, Any]) -> dict[str, Any]:
    node = _without_null(node)
    if "properties" not in node:
        node.pop("title", None)
    if "default" in node and node["default"] in (None, [], {}):
        del node["default"]
    if "$ref" in node:
        node.pop("default", None)
    if node.get("pattern") in WORDS:
        node["patternErrorMessage"] = "must be " + WORDS[node["pattern"]]
    if len(node.get("patternProperties", {})) == 1:
        ((pattern, values),) = node.pop("patternProperties").items()
        node["propertyNames"] = {**node.get("propertyNames", {}), "pattern": pattern}
        node["additionalProperties"] = values
    return node


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    """The same node for a value that is given; a key without a value is a fault."""
    choices = node.get("anyOf")
    if choices is None:
        return node
    given = [choice for choice in choices if choice != {"type": "null"}]
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    return given[0] | rest if len(given) == 1 else rest | {"anyOf": given}
