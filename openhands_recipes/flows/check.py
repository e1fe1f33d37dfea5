"""Is this recipe good? Its own rules, what it extends, its packages; every fault in one run.

Works through ten thousand recipes in seconds: recipes are judged in chunks on all cores, and only what
others extend is kept in memory.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from openhands_recipes.compile.nix.languages import parse_language_names
from openhands_recipes.compile.nix.sources import source_faults
from openhands_recipes.compile.recipe.compose import compose
from openhands_recipes.compile.recipe.faults import TITLES, Code, Fault, in_reading_order
from openhands_recipes.compile.recipe.lineage import bases_of
from openhands_recipes.compile.recipe.packages import package_faults, parse_package_table
from openhands_recipes.compile.recipe.parse import Examined, ParsedRecipe, examine, parse
from openhands_recipes.compile.recipe.settings import parse_settings
from openhands_recipes.compile.recipe.unions import own_requests
from openhands_recipes.errors import InvalidRecipeError, ResolutionError, UsageError
from openhands_recipes.flows.freshness import Freshness
from openhands_recipes.model.flake import LanguageNames
from openhands_recipes.model.package import PackageSource, PackageTable
from openhands_recipes.ports import RecipeStore

if TYPE_CHECKING:
    from openhands_recipes.flows.foreign import ForeignLevels

Format = Literal["text", "json", "github"]
CHUNK = 250
NO_NAMES = LanguageNames(python={}, npm={})
POOL_FROM = 500
"""Below this many recipes, starting processes costs more than it gains."""


@dataclass(frozen=True)
class Report:
    """What a check found."""

    checked: tuple[str, ...]
    faults: tuple[Fault, ...]

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong; warnings may be left."""
        return all(fault.severity == "warning" for fault in self.faults)


def check(
    store: RecipeStore, places: Sequence[str] = (), *, workers: int = 1, source: PackageSource = "debian"
) -> Report:
    """Judge the recipes at some places; without any, all recipes of the project and its settings.

    Packages are looked for in `source`, those of a recipe that is not available there in the other one.

    Raises:
        UsageError: a place is no recipe, or the project has none.
    """
    names = list(dict.fromkeys(store.name_of(place) for place in places)) or list(store.own_names())
    if not names:
        hint = "`ohr new NAME` starts one; name another project with --root"
        raise UsageError("there is no recipe here", hint=hint)
    faults = [] if places else _settings_faults(store)
    table, wrong = _table(store)
    language_names, wrong_names = _names(store)
    faults += wrong + wrong_names
    bench = Bench(store, table, frozenset(names), language_names, source, _freshness(store, table))
    faults += _judge_in_chunks(bench, names, workers)
    return Report(tuple(names), in_reading_order(faults))


@dataclass(frozen=True)
class Bench:
    """What every judgement needs: where recipes are, the packages there are, what is checked in this run."""

    store: RecipeStore
    table: PackageTable | None
    checked: frozenset[str]
    names: LanguageNames = NO_NAMES
    source: PackageSource = "debian"
    freshness: Freshness | None = None
    """None where settings or packages are faulty."""


def _judge_in_chunks(bench: Bench, names: Sequence[str], workers: int) -> list[Fault]:
    if workers < 2 or len(names) < POOL_FROM:
        return _judge_all(bench, names)
    chunks = [names[i : i + CHUNK] for i in range(0, len(names), CHUNK)]
    # fork is quick and safe here: no thread runs yet, and the children only read and compute.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_set_up, initargs=(bench,)) as pool:
        return [fault for found in pool.map(_judge_chunk, chunks) for fault in found]


_bench: list[Bench] = []
"""In a worker process: its bench, sent once instead of with every chunk."""


def _set_up(bench: Bench) -> None:
    _bench[:] = [bench]
    gc.freeze()
    gc.set_threshold(50_000)  # values here form no circles; looking for them takes a sixth of the time


def _judge_chunk(names: Sequence[str]) -> list[Fault]:
    return _judge_all(_bench[0], names)


def _judge_all(bench: Bench, names: Sequence[str]) -> list[Fault]:
    """Every fault of some recipes. Needs nothing but its arguments, so that any process can do it."""
    bases = Bases(bench.store)
    return [fault for name in names for fault in _judge(name, bench, bases)]


class Bases(Mapping[str, ParsedRecipe]):
    """The recipes of a store, parsed when they are asked for and kept; `special` stands in for itself."""

    def __init__(self, store: RecipeStore, whole: str = "") -> None:
        self.store = store
        self.whole = whole
        """Whose lineage is asked about: what it gets of other registries depends on it."""
        self.known: dict[str, ParsedRecipe | InvalidRecipeError | None] = {}
        self.special: ParsedRecipe | None = None
        self._foreign: dict[str, ForeignLevels] = {}

    def _other(self, name: str) -> ParsedRecipe | None:
        """A recipe of another registry.

        Raises:
            ResolutionError, VerificationError, DownloadError: as `foreign_levels` does.
        """
        from openhands_recipes.flows.foreign import Choosing, foreign_levels  # noqa: PLC0415 - rare

        whole = self.special.name if self.special is not None else self.whole
        if whole not in self._foreign:
            self._foreign[whole] = foreign_levels(self.store, whole, self, Choosing())
        level = self._foreign[whole].get(name)
        return level.parsed if level is not None else None

    def _find(self, name: str) -> ParsedRecipe | InvalidRecipeError | None:
        if "/" in name:
            return self._other(name)
        if self.special is not None and self.special.name == name:
            return self.special
        if name not in self.known:
            try:
                stored = self.store.recipe(name)
                self.known[name] = parse(stored.content, file=stored.file) if stored is not None else None
            except InvalidRecipeError as error:
                self.known[name] = error
        return self.known[name]

    def __getitem__(self, name: str) -> ParsedRecipe:
        found = self._find(name)
        if isinstance(found, InvalidRecipeError):
            raise found
        if found is None:
            raise KeyError(name)
        return found

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._find(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.store.names())

    def __len__(self) -> int:
        return len(self.store.names())


def _judge(name: str, bench: Bench, bases: Bases) -> list[Fault]:
    """Every fault of one recipe."""
    try:
        stored = bench.store.recipe(name)
    except InvalidRecipeError as error:
        return [Fault(Code.UNREADABLE, error.message, error.where or name, hint=error.hint)]
    if stored is None:
        return []
    examined = examine(stored.content, file=stored.file)
    if examined.parsed is None:
        return list(examined.faults)
    bases.special = examined.parsed
    try:
        return [*examined.faults, *_judge_together(examined, bench, bases)]
    finally:
        bases.special = None


def _judge_together(examined: Examined, bench: Bench, bases: Bases) -> list[Fault]:
    """What is wrong with a recipe in the company of others and of the package table."""
    parsed = examined.parsed
    if parsed is None:
        return []
    try:
        if examined.faults:
            return _judge_remainder(examined, parsed, bench, bases)
        composed = compose(parsed.name, bases)
    except ResolutionError as error:
        return [fault for fault in error.faults if isinstance(fault, Fault)]
    except InvalidRecipeError as error:
        return _broken_base(parsed, error, bench, bases)
    if bench.table is None:
        return []
    faults = source_faults(composed, bench.table, bench.names, bench.source)
    if not faults and bench.freshness is not None:
        faults = bench.freshness.faults(composed)
    return faults


def _judge_remainder(examined: Examined, parsed: ParsedRecipe, bench: Bench, bases: Bases) -> list[Fault]:
    """For a recipe with faults of its own: what can be said without composing it."""
    faults: list[Fault] = []
    if "extends" not in examined.faulty and "name" not in examined.faulty:
        faults += bases_of(parsed, bases)[1]
    if "packages" not in examined.faulty and bench.table is not None:
        faults += package_faults(own_requests(parsed), bench.table)
    return faults


def _broken_base(parsed: ParsedRecipe, error: InvalidRecipeError, bench: Bench, bases: Bases) -> list[Fault]:
    """A base that is checked in the same run reports its own faults."""
    broken = next((name for name, known in bases.known.items() if known is error), "")
    if broken in bench.checked:
        return []
    message = f"recipe '{parsed.name}' builds on '{broken}', which is faulty itself"
    return [parsed.fault(Code.BROKEN_BASE, message, "extends", hint=f"see `ohr check {broken}`")]


def _settings_faults(store: RecipeStore) -> list[Fault]:
    stored = store.settings()
    try:
        parse_settings(stored.content, file=stored.file)
    except InvalidRecipeError as error:
        return [fault for fault in error.faults if isinstance(fault, Fault)]
    return []


def _freshness(store: RecipeStore, table: PackageTable | None) -> Freshness | None:
    stored = store.settings()
    try:
        settings = parse_settings(stored.content, file=stored.file)
    except InvalidRecipeError:
        return None
    return Freshness(store, settings, table) if table is not None else None


def _table(store: RecipeStore) -> tuple[PackageTable | None, list[Fault]]:
    stored = store.package_table()
    try:
        return parse_package_table(stored.content, file=stored.file), []
    except InvalidRecipeError as error:
        return None, [fault for fault in error.faults if isinstance(fault, Fault)]


def _names(store: RecipeStore) -> tuple[LanguageNames, list[Fault]]:
    stored = store.nixlib().get("languages.toml")
    if stored is None:
        return NO_NAMES, []
    try:
        return parse_language_names(stored.content, file=stored.file), []
    except InvalidRecipeError as error:
        return NO_NAMES, [fault for fault in error.faults if isinstance(fault, Fault)]


# --- how a report reads ------------------------------------------------------------------------------


def render(report: Report, form: Format) -> str:
    """The report for people, for programs, or as GitHub annotations."""
    match form:
        case "text":
            return _as_text(report)
        case "json":
            return _as_json(report)
        case "github":
            return "\n".join(_as_annotation(fault) for fault in report.faults)


def _as_text(report: Report) -> str:
    recipes = _count(len(report.checked), "recipe")
    if report.is_good:
        warnings = f", {_count(len(report.faults), 'warning')}" if report.faults else ""
        summary = f"{recipes} checked, no fault{warnings}"
    else:
        broken = len({fault.file for fault in report.faults})
        summary = f"{recipes} checked, {_count(len(report.faults), 'fault')} in {_count(broken, 'file')}"
    return "\n\n".join([*(str(fault) for fault in report.faults), summary])


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _as_json(report: Report) -> str:
    faults = [
        {
            **asdict(fault),
            "code": str(fault.code),
            "severity": fault.severity,
            "title": TITLES[fault.code],
        }
        for fault in report.faults
    ]
    document = {"schema": 1, "good": report.is_good, "checked": list(report.checked), "faults": faults}
    return json.dumps(document, indent=2, ensure_ascii=False)


def _as_annotation(fault: Fault) -> str:
    """GitHub's workflow commands `error` and `warning`."""
    place = [f"file={_property(fault.file)}"]
    if fault.line:
        place += [f"line={fault.line}", f"col={fault.column}"]
    place.append(f"title={_property(f'{fault.code} {TITLES[fault.code]}')}")
    message = fault.message + (f"\nhint: {fault.hint}" if fault.hint else "")
    return f"::{fault.severity} {','.join(place)}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
