"""What builds on the touched recipes, and what becomes of it: composed before and after, locks compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from openhands_recipes.flows.gate_judging import Shelf
from openhands_recipes.model.recipe import Recipe
from openhands_recipes.ports import Progress
from openhands_recipes.ports.history import Dependants
from openhands_recipes.publish.gate.case import Dependant, TouchedRecipe
from openhands_recipes.publish.gate.rights import rights_of

NEVER_INHERITED = frozenset(
    {"schema_", "name", "version", "summary", "description", "license", "maintainers", "tags", "end_of_life"}
)


@dataclass(frozen=True)
class Company:
    """The recipes around the touched ones."""

    dependants: tuple[Dependant, ...]
    direct: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Web:
    """Who extends whom, as far as it was asked for; touched recipes speak for themselves."""

    index: Dependants
    base: str
    touched: dict[str, TouchedRecipe]

    def direct(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The recipes that extend each of some recipes after the pull request."""
        known = self.index.of(self.base, names)
        return {
            name: tuple(
                sorted({n for n in known.get(name, ()) if n not in self.touched} | set(self._new(name)))
            )
            for name in names
        }

    def _new(self, name: str) -> Iterator[str]:
        for other, recipe in self.touched.items():
            own = recipe.after.recipe if recipe.after else None
            if own is not None and name in {entry.partition("@")[0] for entry in own.extends}:
                yield other

    def all_of(self, name: str) -> dict[str, bool]:
        """Everything that builds on a recipe, nearest first, and whether it does so directly."""
        found: dict[str, bool] = {}
        frontier = [name]
        while frontier:
            nearer = [n for names in self.direct(frontier).values() for n in names]
            frontier = [n for n in dict.fromkeys(nearer) if n not in found and n != name]
            found |= dict.fromkeys(frontier, not found)
        return found


def find_company(  # noqa: PLR0913, PLR0917 - two states, and what connects them
    index: Dependants,
    base: str,
    recipes: Sequence[TouchedRecipe],
    before: Shelf,
    after: Shelf,
    progress: Progress,
) -> Company:
    """Every recipe that something may happen to because of the touched ones."""
    known = [recipe for recipe in recipes if recipe.before is not None]
    known.sort(key=lambda recipe: recipe.only_locked)  # what changes most says most about its dependants
    if not known:  # nothing can build on what was not there
        return Company((), {})
    web = Web(index, base, {recipe.name: recipe for recipe in recipes})
    dependants: dict[str, Dependant] = {}
    for recipe in known:
        around = {
            n: d for n, d in web.all_of(recipe.name).items() if n not in web.touched and n not in dependants
        }
        used = {name for name, users in web.direct(list(around)).items() if users}
        with progress.stage("dependants", total=len(around)) as stage:
            for name, direct in around.items():
                found = _judge(name, recipe, before, after, direct=direct)
                if found is not None:
                    dependants[name] = found
                if name not in used:
                    before.forget(name)
                    after.forget(name)
                stage.advance()
    return Company(tuple(dependants.values()), web.direct([recipe.name for recipe in known]))


def _judge(name: str, via: TouchedRecipe, before: Shelf, after: Shelf, *, direct: bool) -> Dependant | None:
    """What becomes of one dependant; None when nothing does."""
    stale = _stale(name, via, after)
    if not _may_change(via, direct=direct):
        return Dependant(name, via.name, None, None, stale=stale, direct=direct) if stale else None
    was = before.composed(name)
    is_, faults = after.outcome(name) if was is not None else (None, ())
    if was is None or is_ is None or rights_of(was) == rights_of(is_):
        was = is_ = None  # only rights are compared later; a hundred thousand must fit into memory
    if not (faults or stale or is_ is not None):
        return None
    return Dependant(name, via.name, was, is_, faults, stale, direct)


def _may_change(via: TouchedRecipe, *, direct: bool) -> bool:
    """Whether a dependant can be another one now: by what it inherits, or by the version it asks for."""
    if via.sides is None:
        return not via.only_locked
    old, new = via.sides
    return inheritance(old) != inheritance(new) or (direct and old.version != new.version)


def inheritance(recipe: Recipe) -> tuple[object, ...]:
    """What other recipes take over from one."""
    return tuple(getattr(recipe, key) for key in type(recipe).model_fields if key not in NEVER_INHERITED)


def _stale(name: str, via: TouchedRecipe, after: Shelf) -> str:
    """Why the dependant's lock does not fit any more; empty when it does, or when it never had one."""
    if not via.changed("recipe.lock.json") or via.after is None or after.store.lock(name) is None:
        return ""
    return f"parent '{via.name}' was locked again"
