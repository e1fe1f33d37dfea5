"""Recipes and locks as they were when a release was made, from the project's Git history.

A recipe of the built-in library that the project had not changed is not in its history; it is taken from
the library of this installation, if that still has the lock that was released.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from openhands_recipes.adapters.git_history import GitHistory
from openhands_recipes.adapters.recipe_store import LIBRARY_LOCKS, LOCK, RECIPE, built_in_library
from openhands_recipes.errors import RecipesError
from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.model.kept import KeptLevel


class ReleasedTexts:
    """The history of one project; what it lacks is told once per commit."""

    def __init__(self, root: Path, *, warn: Callable[[str], None], library: Path | None = None) -> None:
        self._root = root
        self._warn = warn
        self._library = (library or built_in_library()) / "recipes"
        self._history = GitHistory(root)
        self._without: set[str] = set()

    def __call__(self, commit: str, name: str, lock: Digest) -> KeptLevel | None:
        """A recipe whose lock has this digest, as a commit has it; None when it is not to be had."""
        if commit in self._without:
            return None
        try:
            recipe, locks = self._texts(commit, name)
        except RecipesError as error:
            self._without.add(commit)
            self._warn(f"releases of {commit[:10]} are not kept for others to extend: {error.message}")
            return None
        content = next((one for one in locks if one is not None and digest_of(one) == lock), None)
        if recipe is None or content is None:
            return None
        return KeptLevel(name, recipe, content)

    def _texts(self, commit: str, name: str) -> tuple[bytes | None, tuple[bytes | None, ...]]:
        below = self._root.resolve().relative_to(self._history.work_tree.resolve()) / "recipes"
        own = self._read(commit, below / name / RECIPE)
        if own is not None:
            return own, (self._read(commit, below / name / LOCK),)
        home = self._library / name
        made_here = self._read(commit, below / LIBRARY_LOCKS / name / LOCK)
        return _content(home / RECIPE), (made_here, _content(home / LOCK))

    def _read(self, commit: str, path: Path) -> bytes | None:
        return self._history.read(commit, path.as_posix())


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
