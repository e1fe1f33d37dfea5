"""Git history, and what is known about releases: what the gate asks the outside world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from openhands_recipes.model.gate import Change, CommitWords
from openhands_recipes.model.gate_states import KnownState


class History(Protocol):
    """Commits and what they hold. The work tree is never looked at."""

    def commit(self, revision: str) -> str:
        """The id of the commit a revision names.

        Raises:
            UsageError: it names none that is here.
        """

    def fork_point(self, base: str, head: str) -> str:
        """The newest commit both have in their past.

        Raises:
            UsageError: they have none in common, or history was cut off.
        """

    def commits(self, base: str, head: str) -> tuple[CommitWords, ...]:
        """What `head` has and `base` has not, oldest first."""

    def changes(self, old: str, new: str) -> tuple[Change, ...]:
        """Every path that differs between two commits.

        Raises:
            InvalidRecipeError: a tree is malformed.
        """

    def read(self, commit: str, path: str) -> bytes | None:
        """A regular file of a commit, or None."""

    def folder(self, commit: str, path: str) -> tuple[str, ...]:
        """Every path below a folder, as often as the trees name it, sorted."""

    def recipe_names(self, commit: str) -> tuple[str, ...]:
        """The folders below `recipes/`, sorted."""

    def size(self, blob: str) -> int:
        """How many bytes a blob has."""

    def blob(self, blob: str, *, limit: int) -> bytes:
        """A blob's first `limit` bytes."""


class Dependants(Protocol):
    """Who extends whom, for every recipe of a commit; kept up to date without reading all of them again."""

    def of(self, commit: str, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The recipes that extend each of some recipes directly, sorted."""


class States(Protocol):
    """What the registry says of published versions."""

    def state(self, name: str, version: str) -> KnownState | None:
        """A version's state, or None when it was never published or nothing is known."""

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of a recipe that were ever published."""
