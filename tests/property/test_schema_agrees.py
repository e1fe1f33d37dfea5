"""The JSON Schema and our own reader agree on the shape of every document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema.protocols import Validator

from openhands_recipes.compile.recipe.faults import SHAPE_CODES, Code
from openhands_recipes.compile.recipe.parse import examine
from openhands_recipes.compile.recipe.print import to_yaml
from openhands_recipes.compile.recipe.rules import RULES
from openhands_recipes.compile.recipe.schema import schema_of
from tests.strategies import Document, mutated, recipes


def pattern(
    _validator: Validator, expression: str, instance: Any, _schema: Any
) -> Iterator[jsonschema.ValidationError]:
    """`$` as ECMA 262 means it; Python's also matches before a newline at the end."""
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", expression), instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {expression!r}")


some = settings(max_examples=200, deadline=None)
STRICT: Any = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": pattern})  # type: ignore[no-untyped-call]
VALIDATOR = STRICT(schema_of("recipe.schema.json"))


def shape_faults(document: Document) -> list[str]:
    name = document.get("name")
    file = f"recipes/{name}/recipe.yaml" if isinstance(name, str) and "/" not in name else "recipe.yaml"
    faults = examine(to_yaml(document).encode(), file=file).faults
    unexpected = [fault for fault in faults if fault.code not in SHAPE_CODES and fault.code not in RULES]
    assert not [f for f in unexpected if f.code not in {Code.NAME_AND_FOLDER, Code.CHARACTER}], unexpected
    return [str(fault) for fault in faults if fault.code in SHAPE_CODES]


def agree(document: Document) -> None:
    ours = shape_faults(document)
    theirs = [error.message for error in VALIDATOR.iter_errors(document)]
    assert bool(ours) == bool(theirs), (ours, theirs)


@some
@given(recipes())
def test_both_accept_every_right_recipe(document: Document) -> None:
    assert shape_faults(document) == []
    VALIDATOR.validate(document)


@some
@given(mutated())
@example({"schema": 1, "name": "abc\n"})
@example({"schema": True})
def test_both_judge_a_spoilt_recipe_alike(document: Document) -> None:
    agree(document)


ARABIC_ONE = "\u0661.0.0"
FIELDS = sorted(schema_of("recipe.schema.json")["properties"])
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, 1, -1, 70000, "", "x", "1", "/x", "/x\n", "a b", ARABIC_ONE, [], {}, [1], [""], ["a"],
     [["a"]], [{}],
     {"a": 1}, {"tcp": 0}, {"A": ""}, {"/a": {}}, {"ab": {"command": ["x"], "ready": {}}}, [{"name": "a"}],
     {"version": "3.13"}, {"name": "a", "uid": 0, "gid": 1}, {"network": {"egress": ["x", {"host": "A"}]}},
     {"debian": ""}, {"cpu": "1 "}, {"gpu": 17}, ["linux/amd64", "linux/s390x"], "2028-06-30\n", "2028-6-30"]
)  # fmt: skip


@some
@given(recipes(), st.sampled_from(FIELDS), VALUES)
def test_both_judge_any_value_of_any_key_alike(document: Document, field: str, value: Any) -> None:
    agree({**document, field: value})
