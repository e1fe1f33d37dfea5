"""A first recipe to start from, one that passes `ohr check` as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence

from openhands_recipes.compile.recipe.compose import compose
from openhands_recipes.compile.recipe.packages import parse_package_table, resolve_packages
from openhands_recipes.compile.recipe.parse import parse
from openhands_recipes.compile.recipe.print import SCHEMA_LINE, to_yaml
from openhands_recipes.compile.recipe.schema import schema_text
from openhands_recipes.errors import UsageError
from openhands_recipes.flows.check import Bases
from openhands_recipes.model import forms
from openhands_recipes.ports import RecipeStore

USUAL_BASES = ("openhands-agent", "base")
"""What a recipe extends unless it says otherwise: the first of these there is."""
SOMEBODY = "somebody:1"


def new(
    store: RecipeStore,
    name: str,
    *,
    extends: Sequence[str] = (),
    summary: str = "",
    maintainer: str = SOMEBODY,
) -> str:
    """Add a recipe to the project; returns the file written. Nothing is written unless it is right.

    `maintainer` is a GitHub name and number, `name:id`.

    Raises:
        UsageError: the name is taken or cannot be one, or the maintainer is not `name:id`.
        InvalidRecipeError, ResolutionError: what it should extend is missing or does not fit together.
    """
    if not re.fullmatch(forms.NAME, name):
        raise UsageError(f"'{name}' cannot be a recipe's name", hint=forms.WORDS[forms.NAME])
    if name in store.own_names():
        raise UsageError(f"there is a recipe '{name}' already", hint="choose another name")
    bases = tuple(extends) or tuple(base for base in USUAL_BASES if base in store.names())[:1]
    content = _text(name, bases, summary or f"What {name} is for, in one line", _maintainer(maintainer))
    _prove(store, name, content)
    return store.create(name, content, schema=schema_text("recipe.schema.json").encode())


def _maintainer(text: str) -> dict[str, str | int]:
    github, _, number = text.partition(":")
    if not re.fullmatch(forms.GITHUB_NAME, github) or not re.fullmatch(r"[1-9][0-9]{0,17}", number):
        hint = "write your GitHub name and number, like somebody:1234"
        raise UsageError(f"'{text}' is not a maintainer", hint=hint)
    return {"github": github, "id": int(number)}


def _text(name: str, bases: tuple[str, ...], summary: str, maintainer: dict[str, str | int]) -> bytes:
    parts = [
        SCHEMA_LINE,
        to_yaml({"schema": 1, "name": name, "version": "0.1.0", "summary": summary, "license": "Apache-2.0"}),
        "# github: your name there; id: your number there, which never changes hands\n",
        to_yaml({"maintainers": [maintainer], "tags": []}),
        to_yaml({"extends": list(bases)}) if bases else "",
        '# Names are those of nixlib/packages.toml. A version: {name: gcc, version: ">=13"}\n',
        to_yaml({"packages": ["git"]}),
        "# Commands that prove the sandbox works; they run as its user, without network.\n",
        to_yaml(
            {
                "tests": [
                    {"name": "git is there", "run": "git --version", "stdout": {"contains": "git version"}}
                ]
            }
        ),
    ]
    return "".join(parts).encode()


def _prove(store: RecipeStore, name: str, content: bytes) -> None:
    """Judge the recipe as `ohr check` will."""
    recipes = Bases(store)
    recipes.special = parse(content, file=f"recipes/{name}/recipe.yaml")
    composed = compose(name, recipes)
    table = store.package_table()
    resolve_packages(composed.packages, parse_package_table(table.content, file=table.file))
