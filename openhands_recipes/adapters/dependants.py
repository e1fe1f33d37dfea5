"""Who extends whom, in a SQLite file of the cache, brought up to date by the difference of two trees.

The file is derived from Git alone and may be deleted at any time. Two processes may use it at once:
SQLite lets one write, and whoever finds another tree there than its own brings it to its own.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from openhands_recipes.adapters.git_history import GitHistory
from openhands_recipes.errors import InvalidRecipeError, OutsideError
from openhands_recipes.ports import Progress

VERSION = 1
"""Raise it when the table or the reading of recipes changes."""
TABLES = """
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS recipe (name TEXT PRIMARY KEY, tree TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS edge (base TEXT, name TEXT, PRIMARY KEY (base, name)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS edge_name ON edge (name);
"""


class DependantsFile:
    """An index of one repository."""

    def __init__(
        self,
        folder: Path,
        history: GitHistory,
        *,
        bases_in: Callable[[bytes], tuple[str, ...]],
        progress: Progress,
    ) -> None:
        self._folder = folder
        self._history = history
        self._bases_in = bases_in
        self._progress = progress

    @property
    def path(self) -> Path:
        """Where the index lies: one file a repository."""
        place = hashlib.sha256(self._history.place.encode()).hexdigest()[:16]
        return self._folder / f"dependants-{place}.sqlite"

    def of(self, commit: str, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The recipes that extend each of some recipes directly, sorted."""
        try:
            with self._open() as database:
                self._bring_to(database, commit)
                return {
                    name: tuple(_column(database, "SELECT name FROM edge WHERE base = ? ORDER BY name", name))
                    for name in names
                }
        except sqlite3.DatabaseError as error:
            self.path.unlink(missing_ok=True)
            hint = "it was removed: run the same again"
            raise OutsideError(
                f"the index of dependants is broken: {error}", where=str(self.path), hint=hint
            ) from error

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=60, isolation_level=None)) as database:
            database.executescript("PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY;" + TABLES)
            yield database

    def _bring_to(self, database: sqlite3.Connection, commit: str) -> None:
        wanted = f"{VERSION}:{self._history.recipes_id(commit)}"
        if self._state(database) == wanted:
            return
        database.execute("BEGIN IMMEDIATE")
        try:
            known = self._state(database)
            if known != wanted:
                self._update(database, self._difference(database, known, commit))
                database.execute("REPLACE INTO state VALUES ('tree', ?)", (wanted,))
            database.execute("COMMIT")
        except BaseException:
            database.execute("ROLLBACK")
            raise

    def _state(self, database: sqlite3.Connection) -> str:
        return next(_column(database, "SELECT value FROM state WHERE key = ?", "tree"), "")

    def _difference(self, database: sqlite3.Connection, known: str, commit: str) -> Mapping[str, str]:
        """Recipe folders to be read again and their trees; an empty tree means: gone."""
        version, _, tree = known.partition(":")
        if version == str(VERSION) and tree:
            try:
                return self._history.changed_folders(tree, self._history.recipes_id(commit))
            except InvalidRecipeError:
                pass  # that tree is not in this clone
        now = self._history.recipe_trees(commit)
        if version != str(VERSION):
            database.execute("DELETE FROM recipe")
            database.execute("DELETE FROM edge")
        before: dict[str, str] = dict(database.execute("SELECT name, tree FROM recipe"))
        gone = dict.fromkeys(before.keys() - now.keys(), "")
        return gone | {name: tree for name, tree in now.items() if before.get(name) != tree}

    def _update(self, database: sqlite3.Connection, difference: Mapping[str, str]) -> None:
        there = [(name, tree) for name, tree in difference.items() if tree]
        database.executemany("DELETE FROM edge WHERE name = ?", [(name,) for name in difference])
        database.executemany("DELETE FROM recipe WHERE name = ?", [(name,) for name in difference])
        with self._progress.stage("index", total=len(there)) as stage:
            texts = self._history.recipe_texts([tree for _, tree in there])
            for (name, _), text in zip(there, texts, strict=True):
                bases = self._bases_in(text) if text is not None else ()
                database.executemany(
                    "INSERT OR IGNORE INTO edge VALUES (?, ?)", [(base, name) for base in bases]
                )
                stage.advance()
        database.executemany("INSERT INTO recipe VALUES (?, ?)", there)


def _column(database: sqlite3.Connection, query: str, *values: str) -> Iterator[str]:
    for (value,) in database.execute(query, values):
        yield value
