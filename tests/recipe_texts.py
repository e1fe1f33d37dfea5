"""Recipes as texts, projects as folders, and what `check` says of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from openhands_recipes.adapters.recipe_store import FolderStore
from openhands_recipes.compile.recipe.faults import Fault
from openhands_recipes.compile.recipe.parse import ParsedRecipe, parse
from openhands_recipes.flows.check import check

TREE = Path(__file__).parent.parent
NO_LIBRARY = "no-library"


def recipe_text(name: str = "example", body: str = "") -> str:
    """A right recipe; top-level keys of `body` replace those of the head."""
    head = {
        "schema": "1",
        "name": name,
        "version": "1.0.0",
        "summary": "An example",
        "license": "MIT",
        "maintainers": "[{github: somebody, id: 1}]",
    }
    given = set(re.findall(r"^(\w+):", body, re.MULTILINE))
    return "".join(f"{key}: {value}\n" for key, value in head.items() if key not in given) + body


def parsed(name: str = "example", body: str = "") -> ParsedRecipe:
    """A recipe as a value."""
    return parse(recipe_text(name, body).encode(), file=f"recipes/{name}/recipe.yaml")


def library(**bodies: str) -> dict[str, ParsedRecipe]:
    """Some recipes by name; `_` in a keyword stands for `-`."""
    return {name.replace("_", "-"): parsed(name.replace("_", "-"), body) for name, body in bodies.items()}


def project(folder: Path, texts: Mapping[str, str | bytes]) -> FolderStore:
    """A project with some recipes, the real package table, and no library of recipes."""
    for name, text in texts.items():
        home = folder / "recipes" / name
        home.mkdir(parents=True)
        (home / "recipe.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    without = folder / NO_LIBRARY
    (without / "recipes").mkdir(parents=True)
    (without / "nixlib").mkdir()
    (without / "nixlib" / "packages.toml").write_bytes((TREE / "nixlib" / "packages.toml").read_bytes())
    (without / "recipes" / "registry.yaml").write_bytes((TREE / "recipes" / "registry.yaml").read_bytes())
    return FolderStore(folder, library=without, here=folder)


def faults_of_example(example: str, folder: Path) -> tuple[Fault, ...]:
    """What `check` says about the example of a page: one recipe, or several under `# recipes/NAME/...`."""
    parts = re.split(r"^# recipes/([a-z-]+)/recipe\.yaml\n", example, flags=re.MULTILINE)
    bodies = dict(zip(parts[1::2], parts[2::2], strict=True)) or {"example": example}
    texts = {name: recipe_text(name, body) for name, body in bodies.items()}
    return check(project(folder, texts), ["example"]).faults
