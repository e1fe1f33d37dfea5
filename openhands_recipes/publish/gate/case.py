"""Case: everything the rules may look at, read and understood beforehand. Knows nothing of Git or files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from openhands_recipes.model.composed import Composed
from openhands_recipes.model.gate import Change, CommitWords, Finding, Submission
from openhands_recipes.model.gate_settings import GateSettings, Ratchet
from openhands_recipes.model.gate_states import KnownState
from openhands_recipes.model.lock import Lock
from openhands_recipes.model.owners import Owners
from openhands_recipes.model.recipe import Recipe

RECIPE, LOCK, CLOSURE, CHANGELOG = "recipe.yaml", "recipe.lock.json", "recipe.closure.json", "CHANGELOG.md"
FLAKE = "flake.json"
LOCKED = frozenset({LOCK, CLOSURE, FLAKE})
"""What is derived from a recipe and its modules: all that changes when it is only locked again."""


@dataclass(frozen=True)
class TouchedFile:
    """A changed path. `content` is the new one: None if gone, no file, or larger than is read."""

    change: Change
    content: bytes | None = None
    size: int = 0

    @property
    def path(self) -> str:
        """Where it lies."""
        return self.change.path

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.change.path.rpartition("/")[2]


@dataclass(frozen=True)
class LockFacts:
    """A lock as far as it can be understood. `problem` says why it cannot, `stale` why it is too old."""

    lock: Lock | None = None
    problem: str = ""
    stale: str = ""
    stale_hint: str | None = None
    as_written: bool = True
    """Byte for byte what `ohr lock` would have written."""
    parents: Mapping[str, Lock] = field(default_factory=dict)
    """The locks it builds on."""


@dataclass(frozen=True)
class Side:
    """A recipe before or after. What cannot be understood is None; its faults say why."""

    recipe: Recipe | None = None
    composed: Composed | None = None
    lock: LockFacts = LockFacts()
    has_closure: bool = False
    """Whether it was locked for nixpkgs."""
    changelog: str = ""
    stale_flake: bool = False
    """Whether its flake.json is there and not what it compiles to."""


@dataclass(frozen=True)
class TouchedRecipe:
    """A recipe folder in which something changed."""

    name: str
    files: tuple[TouchedFile, ...]
    before: Side | None
    """None: a new recipe."""
    after: Side | None
    """None: removed."""
    faults: tuple[Finding, ...] = ()
    """What `ohr check` says about the new one."""
    bases: tuple[Composed, ...] = ()
    """The composed recipes a new one extends."""
    listing: tuple[str, ...] = ()
    """Every path in the folder afterwards, as often as Git's trees name it."""

    @property
    def folder(self) -> str:
        """Its folder, with a slash at the end."""
        return f"recipes/{self.name}/"

    @property
    def file(self) -> str:
        """Its recipe.yaml."""
        return self.folder + RECIPE

    @property
    def lock_file(self) -> str:
        """Its lock."""
        return self.folder + LOCK

    @property
    def only_locked(self) -> bool:
        """Whether nothing but its lock changed."""
        return self.after is not None and all(file.name in LOCKED for file in self.files)

    def changed(self, name: str) -> bool:
        """Whether a file of the folder changed."""
        return any(file.path == self.folder + name for file in self.files)

    @property
    def sides(self) -> tuple[Recipe, Recipe] | None:
        """The recipe before and after, when both are there and understood."""
        if (
            self.before is None
            or self.after is None
            or self.before.recipe is None
            or self.after.recipe is None
        ):
            return None
        return self.before.recipe, self.after.recipe


@dataclass(frozen=True)
class Dependant:
    """An untouched recipe that builds on a touched one, judged before and after."""

    name: str
    via: str
    """The touched recipe."""
    before: Composed | None
    after: Composed | None
    faults: tuple[Finding, ...] = ()
    """Why it does not compose any more; empty if it did not before either."""
    stale: str = ""
    direct: bool = True


@dataclass(frozen=True)
class Online:
    """What the sources say about one locked file."""

    recipe: str
    file: str
    verdict: Literal["same", "other", "missing"]
    detail: str = ""


@dataclass(frozen=True)
class Case:
    """One pull request."""

    base: str
    head: str
    today: str
    """YYYY-MM-DD"""
    files: tuple[TouchedFile, ...]
    commits: tuple[CommitWords, ...]
    recipes: tuple[TouchedRecipe, ...]
    settings: GateSettings = field(default_factory=GateSettings)
    ratchet: Ratchet = field(default_factory=Ratchet)
    new_ratchet: Ratchet | None = None
    """If the pull request changes it."""
    owners: Owners | None = None
    submission: Submission | None = None
    changed_on_base: frozenset[str] = frozenset()
    """Paths the base changed since the pull request forked off."""
    names: tuple[str, ...] = ()
    """Recipes of the base; only there when a new one must be compared with them."""
    dependants: tuple[Dependant, ...] = ()
    direct: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Touched recipe -> the recipes that extend it directly, after the pull request."""
    states: Mapping[str, KnownState] = field(default_factory=dict)
    """`name@version` of every base of a touched recipe or of a dependant, as far as known."""
    published: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Touched recipe -> every version of it that was ever published, as far as known."""
    online: tuple[Online, ...] = ()
    problems: tuple[Finding, ...] = ()
    """What was wrong with the gate's own files."""

    def recipe(self, name: str) -> TouchedRecipe | None:
        """A touched recipe by name."""
        return next((recipe for recipe in self.recipes if recipe.name == name), None)

    @property
    def present(self) -> Iterator[tuple[TouchedRecipe, Side]]:
        """Every touched recipe that is still there."""
        for recipe in self.recipes:
            if recipe.after is not None:
                yield recipe, recipe.after
