"""Recipes back into documents and text."""

from __future__ import annotations

import pytest

from openhands_recipes.compile.recipe.compose import compose
from openhands_recipes.compile.recipe.print import document_of, effective_document, origins_of, to_yaml
from tests.recipe_texts import library, parsed


@pytest.mark.parametrize("text", ["3.10", "1e3", "0o17", "true", "null", "~", "", "-.inf", ".5"])
def test_texts_that_yaml_reads_as_something_else_are_quoted(text: str) -> None:
    assert to_yaml({"a": text}) == f'a: "{text}"\n'


def test_long_lines_are_kept_and_several_lines_are_a_block() -> None:
    assert to_yaml({"run": "a\nb\n", "list": ["x" * 200]}) == f"run: |\n  a\n  b\nlist:\n  - {'x' * 200}\n"


def test_characters_that_documents_may_not_contain_are_escaped() -> None:
    assert to_yaml({"a": "ü\u202e"}) == 'a: "\\xFC\\u202E"\n'
    assert to_yaml({"a": "ü"}) == "a: ü\n"


def test_values_used_twice_are_written_twice() -> None:
    shared = ["x"]
    assert to_yaml({"a": shared, "b": shared}) == "a:\n  - x\nb:\n  - x\n"


def test_a_document_holds_what_was_given_and_nothing_else() -> None:
    body = "packages: [git, {name: gcc}]\nports: [{name: web, port: 80, protocol: TCP}]\n"
    document = document_of(parsed(body=body).recipe)
    assert document == {
        "schema": 1,
        "name": "example",
        "version": "1.0.0",
        "summary": "An example",
        "license": "MIT",
        "maintainers": [{"github": "somebody", "id": 1}],
        "packages": ["git", {"name": "gcc"}],
        "ports": [{"name": "web", "port": 80, "protocol": "TCP"}],
    }


def test_an_effective_document_extends_nothing() -> None:
    composed = compose(
        "example",
        library(
            base='packages: [git, {name: gcc, version: ">=13"}]\nentrypoint: []\n',
            example='extends: [base]\npackages: [{name: gcc, version: "<14 || 20"}]\n'
            "end_of_life: 2028-06-30\n",
        ),
    )
    document = effective_document(composed)
    assert "extends" not in document
    assert document["packages"] == [{"name": "gcc", "version": ">=13 <14 || >=13 20"}, "git"]
    assert document["entrypoint"] == []
    assert list(document)[-1] == "end_of_life"


def test_origins_of_a_section_are_those_of_its_parts() -> None:
    composed = compose("example", library(example="permissions: {devices: [/dev/kvm, /dev/fuse]}\n"))
    assert [o.column for o in origins_of(composed, "permissions", "devices")] == [25, 35]
    assert origins_of(composed, "workdir") == ()
