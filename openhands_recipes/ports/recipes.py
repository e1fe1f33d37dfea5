"""Recipes as stored text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from openhands_recipes.ports.registries import OtherRegistries


@dataclass(frozen=True)
class StoredText:
    """A file of a recipe project, not yet understood. `file` is its path as people would type it."""

    file: str
    content: bytes


class RecipeStore(Protocol):
    """Where recipes, their locks and what is common to them are kept.

    Recipes of the project hide those of the same name in the built-in library. Every read is bounded
    in size and refuses links that lead out of the store.
    """

    @property
    def registries(self) -> OtherRegistries | None:
        """Other registries whose recipes these may extend; None where nobody may be asked."""

    def names(self) -> tuple[str, ...]:
        """Every recipe that can be asked for, project and library, sorted."""

    def own_names(self) -> tuple[str, ...]:
        """The recipes of the project, sorted."""

    def name_of(self, place: str) -> str:
        """The recipe meant by a name, a recipe folder or a recipe.yaml.

        Raises:
            UsageError: neither a known recipe nor a path to one.
        """

    def recipe(self, name: str) -> StoredText | None:
        """A recipe's recipe.yaml, or None when there is no such recipe.

        Raises:
            InvalidRecipeError: too large, or a link that leads out of the store.
        """

    def lock(self, name: str) -> StoredText | None:
        """A recipe's recipe.lock.json, or None when it was never locked."""

    def closure(self, name: str) -> StoredText | None:
        """A recipe's recipe.closure.json, or None when it was never locked for nixpkgs."""

    def settings(self) -> StoredText:
        """recipes/registry.yaml: the project's, else the library's."""

    def package_table(self) -> StoredText:
        """nixlib/packages.toml: the project's, else the library's."""

    def nixlib(self) -> dict[str, StoredText]:
        """Every file of nixlib/ by its path below it, sorted: the project's, else the library's."""

    def write_lock(self, name: str, content: bytes) -> str:
        """Keep a lock, whole or not at all; returns the file written.

        A library recipe's lock goes to recipes/.library/<name>/ of the project and wins from then on.
        """

    def write_closure(self, name: str, content: bytes) -> str:
        """Keep a closure, as locks are kept; returns the file written."""

    def create(self, name: str, content: bytes, *, schema: bytes) -> str:
        """Add a recipe to the project and the schema beside it; returns the file written.

        Raises:
            UsageError: there is a recipe of that name in the project.
        """
