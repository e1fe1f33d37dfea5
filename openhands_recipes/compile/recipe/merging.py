"""How values that several levels give become one, and who is to be named for it.

A level's word replaces the words of the levels it builds on. What remains are the words nobody further
up has replaced; they must agree, or the recipe on top has to decide. The result depends on who extends
whom, never on the order in which bases are named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from openhands_recipes.compile.recipe.faults import Code, Fault
from openhands_recipes.compile.recipe.parse import ParsedRecipe
from openhands_recipes.compile.recipe.shape import path_text, shorten
from openhands_recipes.model.composed import Origin
from openhands_recipes.model.recipe import Recipe

V = TypeVar("V")
Key = tuple[str, ...]


class Word(NamedTuple, Generic[V]):
    """What one level says about one value."""

    level: ParsedRecipe
    value: V
    path: tuple[str | int, ...]
    """Where it stands in the level's document."""

    @property
    def origin(self) -> Origin:
        """The place, for people."""
        return self.level.origin(*self.path)


class Merge:
    """Collects what a stack of levels says, the disagreements, and the origins of what holds."""

    def __init__(self, levels: Sequence[ParsedRecipe], ancestors: Mapping[str, frozenset[str]]) -> None:
        self.levels = tuple(levels)
        self.top = levels[-1]
        self.ancestors = ancestors
        self.faults: list[Fault] = []
        self.origins: dict[Key, tuple[Origin, ...]] = {}

    def single(self, read: Callable[[Recipe], V | None], *path: str) -> V | None:
        """A value there is one of, by where it stands: `workdir`."""
        words = [Word(level, v, path) for level in self.levels if (v := read(level.recipe)) is not None]
        return self.agree(path, words)

    def table(self, key: str, read: Callable[[Recipe], Mapping[str, V]]) -> dict[str, V]:
        """A mapping merged key by key, sorted: `environment`."""
        words: dict[str, list[Word[V]]] = {}
        for level in self.levels:
            for name, value in read(level.recipe).items():
                words.setdefault(name, []).append(Word(level, value, (key, name)))
        return self._agree_on_each(key, sorted(words.items()))

    def listed(
        self, key: str, read: Callable[[Recipe], Iterable[V]], name_of: Callable[[V], str]
    ) -> dict[str, V]:
        """A list of named values merged name by name, in the order of the levels: `tests`."""
        words: dict[str, list[Word[V]]] = {}
        for level in self.levels:
            for i, value in enumerate(read(level.recipe)):
                words.setdefault(name_of(value), []).append(Word(level, value, (key, i)))
        return self._agree_on_each(key, words.items())

    def _agree_on_each(self, key: str, words: Iterable[tuple[str, list[Word[V]]]]) -> dict[str, V]:
        merged = {}
        for name, said in words:
            value = self.agree((key, name), said)
            if value is not None:
                merged[name] = value
        return merged

    def agree(self, key: Key, words: Sequence[Word[V]]) -> V | None:
        """The value that holds, or None when nobody gives one or nobody can decide."""
        if not words:
            return None
        standing = self.standing(words)
        first = standing[0]
        for other in standing[1:]:
            if other.value != first.value:
                self.disagree(key, first, other)
                return None
        self.origins[key] = tuple(word.origin for word in standing)
        return first.value

    def standing(self, words: Sequence[Word[V]]) -> Sequence[Word[V]]:
        """The words no level further up has replaced."""
        if len(words) == 1:
            return words
        if words[-1].level is self.top:
            return words[-1:]
        replaced = frozenset[str]().union(*(self.ancestors[word.level.name] for word in words))
        return [word for word in words if word.level.name not in replaced]

    def add_origin(self, key: Key, origin: Origin) -> None:
        """Name one more place a value that adds up comes from."""
        self.origins[key] = (*self.origins.get(key, ()), origin)

    def disagree(self, key: Key, one: Word[Any], other: Word[Any]) -> None:
        """Note that two bases differ and the recipe is silent."""
        name = path_text(key)
        message = (
            f"bases of '{self.top.name}' disagree on '{name}': "
            f"{_say(one.value)} ({one.origin}) or {_say(other.value)} ({other.origin})"
        )
        hint = f"give '{name}' in '{self.top.name}' to decide"
        self.faults.append(self.top.fault(Code.CONFLICT, message, "extends", hint=hint))


def _say(value: Any) -> str:  # noqa: ANN401 - any value of a recipe
    if isinstance(value, str):
        return shorten(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(str(v) for v in value) + "]"
    if hasattr(value, "model_dump"):
        given = value.model_dump(exclude_defaults=True)
        return shorten(", ".join(f"{k}: {v}" for k, v in given.items()))
    return str(value)
