"""Which tests of a recipe run in which image."""

from __future__ import annotations

import pytest

from openhands_recipes.compile.nix.image import SOURCE
from openhands_recipes.compile.oci.config import StartSettings
from openhands_recipes.compile.recipe.compose import compose
from openhands_recipes.flows.test import tests_for as scoped
from tests.recipe_texts import library

BODY = """tests:
  - {name: a, run: "true"}
  - {name: i, run: "true", scope: image}
  - {name: d, run: "true", scope: debian}
"""


@pytest.mark.parametrize(
    ("labels", "names"), [({}, "aid"), ({SOURCE: "debian"}, "aid"), ({SOURCE: "nixpkgs"}, "ai")]
)
def test_an_image_runs_what_makes_sense_in_it(labels: dict[str, str], names: str) -> None:
    start = StartSettings(
        environment={}, entrypoint=(), command=(), workdir="/", shell_workdir="/", uid=0, gid=0, user="",
        ports=(), labels=labels,
    )  # fmt: skip
    found = scoped(compose("example", library(example=BODY)), start)
    assert "".join(test.name for test in found) == names
