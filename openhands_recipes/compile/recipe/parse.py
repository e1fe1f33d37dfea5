"""recipe.yaml -> Recipe and where each of its values stands.

`parse` is for those who need a recipe that is right. `examine` is for those who report: it never
raises, finds every fault there is, and goes on with what can be understood of a broken recipe.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from openhands_recipes.compile.recipe.document import locate, locate_value, understand
from openhands_recipes.compile.recipe.events import Node
from openhands_recipes.compile.recipe.faults import Code, Fault, error_of, in_reading_order
from openhands_recipes.compile.recipe.rules import breaches
from openhands_recipes.compile.recipe.shape import path_text
from openhands_recipes.model.composed import Origin
from openhands_recipes.model.recipe import Recipe

STAND_INS: dict[str, Any] = {
    "schema": 1,
    "name": "unknown",
    "version": "0.0.0",
    "summary": "unknown",
    "license": "MIT",
    "maintainers": [{"github": "unknown", "id": 1}],
}
"""Values for required keys that are missing or faulty, so that the rest can still be judged."""


@dataclass(frozen=True)
class ParsedRecipe:
    """A recipe, the file it came from, and the positions of its values."""

    recipe: Recipe
    file: str
    root: Node | None
    _origins: dict[tuple[str | int, ...], Origin] = field(default_factory=dict, repr=False, compare=False)
    """Places asked for before: an ancestor is asked again for every recipe that builds on it."""

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.recipe.name

    def origin(self, *path: str | int) -> Origin:
        """Where a value stands; nearest thing above it if it is not written."""
        known = self._origins.get(path)
        if known is None:
            known = self._origins[path] = Origin(self.recipe.name, self.file, *locate(self.root, path))
        return known

    def fault(self, code: Code, message: str, *path: str | int, hint: str | None = None) -> Fault:
        """A fault at one of the recipe's values."""
        line, column = locate_value(self.root, path)
        return Fault(code, message, self.file, line, column, path_text(path), hint)


@dataclass(frozen=True)
class Examined:
    """What a recipe's text says, right or wrong.

    `parsed` is None when nothing could be understood. Unless `faults` is empty it is what is left
    without the top-level keys named in `faulty`.
    """

    parsed: ParsedRecipe | None
    faults: tuple[Fault, ...]
    faulty: frozenset[str]


def parse(text: bytes, *, file: str) -> ParsedRecipe:
    """A recipe that keeps every rule a recipe can keep on its own.

    The folder `file` lies in is the recipe's name. The bytes alone decide; nothing is read.

    Raises:
        InvalidRecipeError: with every fault of the document.
    """
    examined = examine(text, file=file)
    if examined.faults:
        raise error_of(examined.faults)
    assert examined.parsed is not None  # noqa: S101 - no recipe without a fault
    return examined.parsed


def examine(text: bytes, *, file: str) -> Examined:
    """Everything wrong with a recipe's text, and what can be understood of it."""
    understood = understand(text, file=file, model=Recipe)
    faults, faulty = list(understood.faults), set(understood.faulty)
    recipe = understood.model or _remainder(understood.values, faulty)
    if recipe is None or understood.root is None:
        return Examined(None, in_reading_order(faults), frozenset(faulty))
    parsed = ParsedRecipe(recipe, file, understood.root)
    if "name" not in faulty:
        faults += _name_faults(parsed)
    for code, breach in breaches(recipe):
        if breach.path[0] not in understood.faulty:
            line, column = locate_value(parsed.root, breach.path)
            place = path_text(breach.path)
            faults.append(Fault(code, breach.message, file, line, column, place, breach.hint, breach.fix))
            faulty.add(str(breach.path[0]))
    return Examined(parsed, in_reading_order(faults) if faults else (), frozenset(faulty))


def _remainder(values: dict[str, Any], faulty: set[str]) -> Recipe | None:
    """The recipe without its faulty keys, stand-ins for the required ones."""
    sound = {key: value for key, value in values.items() if key not in faulty}
    return Recipe.model_validate({**STAND_INS, **sound}) if sound else None


def _name_faults(parsed: ParsedRecipe) -> list[Fault]:
    folder = PurePosixPath(parsed.file).parent.name
    if folder in {"", parsed.name}:
        return []
    message = f"the recipe is named '{parsed.name}', its folder '{folder}'"
    return [parsed.fault(Code.NAME_AND_FOLDER, message, "name", hint="make them the same")]
