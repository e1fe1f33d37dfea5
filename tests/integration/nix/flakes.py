"""Flakes for tests: a recipe's, compiled, or one of a test's own beside the same library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from openhands_recipes.flows.chain import Library
from openhands_recipes.flows.flake import compile_flake
from tests.integration.nix.bench import NixBench

FROZEN = ("--no-update-lock-file",)
"""The lock has to be good as it is: Nix fails where it would write another one."""


def recipe_flake(bench: NixBench, name: str, folder: Path) -> Path:
    """A recipe's flake in a folder of its own."""
    for path, content in compile_flake(Library.of(bench.world.store), name).files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def own_flake(bench: NixBench, folder: Path, **changes: Any) -> Path:
    """The flake of a small recipe that only the test knows."""
    recipe_flake(bench, "base", folder)
    file = folder / "recipe.json"
    nothing: dict[str, Any] = {"packages": [], "tests": [], "omitted": [], "environment": {}, "path": []}
    file.write_text(json.dumps(json.loads(file.read_text()) | nothing | {"name": "own"} | changes))
    return folder


def a_test(name: str, run: str, **expected: Any) -> dict[str, Any]:
    """A test as recipe.json has it."""
    usual = {"exit_code": 0, "stdout": None, "stderr": None, "timeout": 60}
    return {"name": name, "run": run} | usual | expected


def packages(*attributes: str) -> list[dict[str, str]]:
    """Packages as recipe.json has them."""
    return [{"name": attribute, "attribute": attribute} for attribute in attributes]
