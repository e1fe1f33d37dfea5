"""Recipes of another registry among our own: every name in them gets the registry's in front.

`python` of the registry `acme` is `acme/python` here, and extends `acme/base`: a name with a slash is
never one of ours, so that the names of two registries cannot be mixed up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from openhands_recipes.compile.recipe.parse import ParsedRecipe
from openhands_recipes.compile.recipe.rules import base_name
from openhands_recipes.model.lock import Lock


@dataclass(frozen=True)
class Wish:
    """Where a recipe of ours extends one of another registry."""

    by: ParsedRecipe
    position: int
    """In its `extends`."""
    range: str

    @property
    def entry(self) -> str:
        """As it is written."""
        return self.by.recipe.extends[self.position]


def adopted(parsed: ParsedRecipe, registry: str) -> ParsedRecipe:
    """A recipe of another registry under its name here."""
    extends = tuple(f"{registry}/{entry}" for entry in parsed.recipe.extends)
    named = {"name": f"{registry}/{parsed.name}", "extends": extends}
    return replace(parsed, recipe=parsed.recipe.model_copy(update=named), _origins={})


def adopted_lock(lock: Lock, registry: str) -> Lock:
    """Its lock; the digests in it stay those of the files as they were released."""
    parents = tuple(p.model_copy(update={"name": f"{registry}/{p.name}"}) for p in lock.parents)
    return lock.model_copy(update={"recipe": f"{registry}/{lock.recipe}", "parents": parents})


def wishes_of(name: str, recipes: Mapping[str, ParsedRecipe]) -> dict[str, list[Wish]]:
    """What a recipe and all it extends here want of other registries: registry/name -> who wants it."""
    found: dict[str, list[Wish]] = {}
    for member in local_lineage(name, recipes):
        for i, entry in enumerate(recipes[member].recipe.extends):
            if "/" in entry.partition("@")[0]:
                found.setdefault(base_name(entry), []).append(
                    Wish(recipes[member], i, entry.partition("@")[2])
                )
    return dict(sorted(found.items()))


def local_lineage(name: str, recipes: Mapping[str, ParsedRecipe]) -> tuple[str, ...]:
    """A recipe and everything of this registry that it extends, the recipe first; unknown ones left out."""
    found: dict[str, None] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in found and "/" not in current and current in recipes:
            found[current] = None
            waiting += bases_here(recipes[current])
    return tuple(found)


def bases_here(parsed: ParsedRecipe) -> list[str]:
    """The bases of this registry that a recipe names."""
    return [base for base in map(base_name, parsed.recipe.extends) if "/" not in base]


def ranges_of(wishes: Iterable[Wish]) -> Sequence[str]:
    """The version ranges among some wishes."""
    return [wish.range for wish in wishes if wish.range]
