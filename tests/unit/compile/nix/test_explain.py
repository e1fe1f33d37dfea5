from __future__ import annotations

from typing import Any

import pytest

from openhands_recipes.compile.nix.explain import explain, origin_of, set_of
from openhands_recipes.compile.recipe.compose import compose
from openhands_recipes.compile.recipe.parse import parse
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.nix import Thrown

TEXT = b"""schema: 1
name: data
version: 1.0.0
summary: A test
license: MIT
maintainers: [{github: someone, id: 1}]
packages: [jq]
python:
  version: "3.13"
  packages:
    - "NumPy[extra]>=2"
node:
  version: "20"
  packages:
    - "@types/node@^20"
"""


@pytest.fixture(scope="module")
def composed() -> Composed:
    return compose("data", {"data": parse(TEXT, file="recipes/data/recipe.yaml")})


def thrown(**fields: Any) -> Thrown:
    return Thrown(**({"fault": "missing-attribute", "package": "jq", "attribute": "jq"} | fields))


@pytest.mark.parametrize(
    ("package", "line"), [("jq", 7), ("python", 9), ("numpy", 11), ("node", 13), ("@types/node", 15)]
)
def test_the_line_that_asks_for_a_package_is_found(composed: Composed, package: str, line: int) -> None:
    origin = origin_of(thrown(package=package), composed)
    assert origin is not None
    assert (origin.file, origin.line) == ("recipes/data/recipe.yaml", line)


def test_what_no_line_asks_for_is_told_without_one(composed: Composed) -> None:
    error = explain(thrown(package="other", attribute=None), composed)
    assert (error.where, error.code) == (None, "OHR120")
    assert error.message == "recipe 'data' wants other, but the pinned nixpkgs has no 'other'"
    assert error.hint == "correct the name, or pin a nixpkgs that has it"


def test_names_that_exist_come_before_those_the_library_guessed(composed: Composed) -> None:
    said = thrown(
        package="numpy", attribute="python313.pkgs.nunpy", fault="python-package", near=("nu", "numpy")
    )
    assert set_of(said) == "python313.pkgs"
    assert explain(said, composed, names=["numpy", "pandas", "jq"]).hint == "names like it: numpy, nu"


def test_what_nixpkgs_refuses_is_told_with_its_reason(composed: Composed) -> None:
    error = explain(thrown(fault="unavailable"), composed, reason="it is marked as broken")
    assert error.code == "OHR122"
    assert error.message == "recipe 'data' wants jq, but nixpkgs refuses 'jq': it is marked as broken"
    assert error.where == "recipes/data/recipe.yaml:7"
