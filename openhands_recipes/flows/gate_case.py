"""Reading a pull request: from two commits to everything the rules look at, and not one file more."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from openhands_recipes.flows.gate_dependants import find_company
from openhands_recipes.flows.gate_files import OWNERS, RATCHET, SETTINGS, read_statutes
from openhands_recipes.flows.gate_judging import Shelf
from openhands_recipes.flows.gate_store import CommitStore
from openhands_recipes.model import forms
from openhands_recipes.model.gate import EXECUTABLE, REGULAR, Change, Finding, Submission
from openhands_recipes.model.gate_states import KnownState
from openhands_recipes.ports import Progress, RecipeStore
from openhands_recipes.ports.history import Dependants, History, States
from openhands_recipes.ports.registries import OtherRegistries
from openhands_recipes.publish.gate.case import LOCKED, RECIPE, Case, Side, TouchedFile, TouchedRecipe

NAME = re.compile(forms.NAME)
GATE_FILES = frozenset({OWNERS, SETTINGS, RATCHET, "recipes/registry.yaml", "nixlib/packages.toml"})
"""Files outside recipes that are read when they change."""
MOST_TEXT, MOST_LOCK = 2**20, 2**25
"""Larger files are refused unread, whatever the settings allow."""


@dataclass(frozen=True)
class Gatehouse:
    """What reading a pull request needs."""

    history: History
    dependants: Dependants
    states: States
    progress: Progress
    library: RecipeStore | None = None
    """Recipes that come with the toolkit, where the repository does not hold them itself."""
    registries: Callable[[CommitStore], OtherRegistries] | None = None
    """Other registries, as a commit trusts them."""


@dataclass(frozen=True)
class Reading:
    """A case, and the two states of the registry it was read from."""

    case: Case
    before: Shelf
    after: Shelf


@dataclass(frozen=True)
class Moment:
    """When and about what a pull request is judged."""

    today: str
    """YYYY-MM-DD"""
    submission: Submission | None = None


def read_case(doors: Gatehouse, base: str, head: str, moment: Moment) -> Reading:
    """Everything about a pull request. The work tree is never looked at.

    Raises:
        UsageError: a commit is not here.
        InvalidRecipeError: Git itself cannot read a tree, or the base's settings are wrong.
    """
    fork = doors.history.fork_point(base, head)
    files = _files(doors.history, doors.history.changes(fork, head))
    base_store = CommitStore(doors.history, base, library=doors.library)
    laid_over = {file.path: file.content for file in files}
    others = base_store.registries = doors.registries(base_store) if doors.registries else None
    merged = CommitStore(doors.history, base, laid_over=laid_over, library=doors.library, registries=others)
    statutes = read_statutes(base_store, merged, frozenset(laid_over))
    before = Shelf.of(base_store)
    after = before.with_changes(merged, laid_over)
    names = sorted({f.change.recipe for f in files if f.change.recipe and NAME.fullmatch(f.change.recipe)})
    recipes = tuple(_recipe(doors.history, name, files, before, after, head) for name in names)
    company = find_company(doors.dependants, base, recipes, before, after, doors.progress)
    case = Case(
        base=base,
        head=head,
        today=moment.today,
        files=files,
        commits=doors.history.commits(base, head),
        recipes=recipes,
        settings=statutes.settings,
        ratchet=statutes.ratchet,
        new_ratchet=statutes.new_ratchet,
        owners=statutes.owners,
        submission=moment.submission,
        changed_on_base=_changed_on_base(doors.history, fork, base, files),
        names=base_store.names() if any(recipe.before is None for recipe in recipes) else (),
        dependants=company.dependants,
        direct=company.direct,
        states=_states(doors.states, recipes),
        published={recipe.name: doors.states.versions(recipe.name) for recipe in recipes},
        problems=statutes.problems,
    )
    return Reading(case, before, after)


def _files(history: History, changes: Sequence[Change]) -> tuple[TouchedFile, ...]:
    """The changed files, with their new content as far as it is worth reading."""
    found = []
    for change in changes:
        if change.new_mode not in {REGULAR, EXECUTABLE} or (
            change.recipe is None and change.path not in GATE_FILES
        ):
            found.append(TouchedFile(change))
            continue
        size = history.size(change.new_blob)
        limit = MOST_LOCK if change.path.rpartition("/")[2] in LOCKED else MOST_TEXT
        content = history.blob(change.new_blob, limit=limit) if size <= limit else None
        found.append(TouchedFile(change, content, size))
    return tuple(found)


def _recipe(  # noqa: PLR0913, PLR0917 - both states of one recipe
    history: History, name: str, files: Sequence[TouchedFile], before: Shelf, after: Shelf, head: str
) -> TouchedRecipe:
    own = tuple(file for file in files if file.change.recipe == name)
    was = before.side(name, with_lock=False) if before.store.owns(name) else None
    gone = not after.store.owns(name) and all(f.change.is_removal for f in own if f.name == RECIPE)
    is_ = after.side(name, with_lock=True) if after.store.owns(name) else None if gone and was else Side()
    faults = after.faults(name) if after.store.owns(name) else ()
    if was is None and gone:
        faults = (_no_recipe(name),)
    extends = is_.recipe.extends if is_ and is_.recipe and was is None else ()
    bases = (after.composed(entry.partition("@")[0]) for entry in extends)
    return TouchedRecipe(
        name=name,
        files=own,
        before=was,
        after=is_,
        faults=faults,
        bases=tuple(base for base in bases if base is not None),
        listing=history.folder(head, f"recipes/{name}"),
    )


def _no_recipe(name: str) -> Finding:
    message = f"recipes/{name} has no {RECIPE}"
    return Finding(code="OHR070", severity="error", message=message, file=f"recipes/{name}/{RECIPE}")


def _changed_on_base(history: History, fork: str, base: str, files: Sequence[TouchedFile]) -> frozenset[str]:
    if fork == base:
        return frozenset()
    ours = {file.path: file.change.new_blob for file in files}
    return frozenset(
        c.path for c in history.changes(fork, base) if ours.get(c.path, c.new_blob) != c.new_blob
    )


def _states(states: States, recipes: Sequence[TouchedRecipe]) -> dict[str, KnownState]:
    """What is known of every release the touched recipes build on."""
    found = {}
    for recipe in recipes:
        levels = recipe.after.composed.levels[:-1] if recipe.after and recipe.after.composed else ()
        for level in levels:
            state = states.state(level.name, level.version)
            if state is not None:
                found[f"{level.name}@{level.version}"] = state
    return found
