"""A recipe store over Git history: a base commit with the files of a pull request laid over it.

That is the tree that merging would make, unless both sides changed one file (which a rule refuses).
"""

from __future__ import annotations

from collections.abc import Mapping

from openhands_recipes.errors import InvalidRecipeError, UsageError
from openhands_recipes.ports import RecipeStore, StoredText
from openhands_recipes.ports.history import History
from openhands_recipes.ports.registries import OtherRegistries

RECIPES, RECIPE, LOCK, CLOSURE = "recipes", "recipe.yaml", "recipe.lock.json", "recipe.closure.json"
SETTINGS, TABLE = "recipes/registry.yaml", "nixlib/packages.toml"


class CommitStore:
    """The recipes of a commit; `laid_over` holds changed files by path, None for removed ones.

    Recipes that neither has are looked for in `library`, if there is one. `registries` are asked for modules
    of other registries; one that is handed on to a merged tree is still that of its base.
    """

    def __init__(
        self,
        history: History,
        commit: str,
        *,
        laid_over: Mapping[str, bytes | None] | None = None,
        library: RecipeStore | None = None,
        registries: OtherRegistries | None = None,
    ) -> None:
        self._history = history
        self._commit = commit
        self._laid_over = laid_over or {}
        self._library = library
        self._read: dict[str, bytes | None] = {}
        self.registries = registries

    def file(self, path: str) -> bytes | None:
        """A file of the merged tree."""
        if path in self._laid_over:
            return self._laid_over[path]
        if path not in self._read:
            self._read[path] = self._history.read(self._commit, path)
        return self._read[path]

    def forget(self, name: str) -> None:
        """Let go of the texts of a recipe."""
        for file in (RECIPE, LOCK):
            self._read.pop(f"{RECIPES}/{name}/{file}", None)

    def owns(self, name: str) -> bool:
        """Whether the recipe is one of the commit's own."""
        return self.file(f"{RECIPES}/{name}/{RECIPE}") is not None

    def names(self) -> tuple[str, ...]:
        """Every recipe that can be asked for, sorted."""
        library = self._library.names() if self._library else ()
        return tuple(sorted({*self.own_names(), *library}))

    def own_names(self) -> tuple[str, ...]:
        """The recipes of the merged tree, sorted."""
        changed = {path.split("/")[1] for path in self._laid_over if path.count("/") > 1}
        known = set(self._history.recipe_names(self._commit)) - changed
        return tuple(sorted(known | {name for name in changed if self.owns(name)}))

    def name_of(self, place: str) -> str:
        """A recipe by its name."""
        if self.recipe(place) is None:
            raise UsageError(f"there is no recipe '{place}'")
        return place

    def recipe(self, name: str) -> StoredText | None:
        """A recipe's recipe.yaml, or None when there is no such recipe."""
        path = f"{RECIPES}/{name}/{RECIPE}"
        content = self.file(path)
        if content is not None:
            return StoredText(path, content)
        if path in self._laid_over or self._library is None:
            return None
        return self._library.recipe(name)

    def lock(self, name: str) -> StoredText | None:
        """A recipe's recipe.lock.json, or None when it was never locked."""
        path = f"{RECIPES}/{name}/{LOCK}"
        content = self.file(path)
        if content is not None:
            return StoredText(path, content)
        return self._library.lock(name) if self._library is not None and not self.owns(name) else None

    def settings(self) -> StoredText:
        """recipes/registry.yaml."""
        content = self.file(SETTINGS)
        if content is not None:
            return StoredText(SETTINGS, content)
        return self._of_library(SETTINGS).settings()

    def package_table(self) -> StoredText:
        """nixlib/packages.toml."""
        content = self.file(TABLE)
        return StoredText(TABLE, content) if content is not None else self._of_library(TABLE).package_table()

    def nixlib(self) -> dict[str, StoredText]:
        """The Nix library of the merged tree."""
        paths = self._history.folder(self._commit, "nixlib")
        texts = {path: self.file(path) for path in paths}
        if not paths and self._library is not None:
            return self._library.nixlib()
        return {p.partition("/")[2]: StoredText(p, text) for p, text in texts.items() if text is not None}

    def closure(self, name: str) -> StoredText | None:
        """A recipe's recipe.closure.json, or None when it was never locked for nixpkgs."""
        path = f"{RECIPES}/{name}/{CLOSURE}"
        content = self.file(path)
        return StoredText(path, content) if content is not None else None

    def write_closure(self, name: str, content: bytes) -> str:
        """History is never written."""
        raise NotImplementedError

    def write_lock(self, name: str, content: bytes) -> str:
        """History is never written."""
        raise NotImplementedError

    def create(self, name: str, content: bytes, *, schema: bytes) -> str:
        """History is never written."""
        raise NotImplementedError

    def _of_library(self, path: str) -> RecipeStore:
        if self._library is None:
            raise InvalidRecipeError(
                f"{path} is missing", where=path, hint="add it; the gate cannot do without"
            )
        return self._library
