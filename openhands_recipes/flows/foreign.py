"""Modules of other registries: which release a recipe gets, and what comes with it.

A lock pins a release by digest, so that later only the pinned bytes are asked for; without a pin that
fits, the registry's signed index says which release is the newest. Whether a release was withdrawn is
looked up whenever its index can be reached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from openhands_recipes.compile.pin import pins_of, read_lock
from openhands_recipes.compile.recipe.faults import Code, Fault, did_you_mean, error_of
from openhands_recipes.compile.recipe.foreign import (
    Wish,
    adopted,
    adopted_lock,
    local_lineage,
    ranges_of,
    wishes_of,
)
from openhands_recipes.compile.recipe.parse import ParsedRecipe, parse
from openhands_recipes.compile.recipe.ranges import allows
from openhands_recipes.errors import (
    InvalidRecipeError,
    RecipesError,
    ResolutionError,
    StaleLockError,
    VerificationError,
)
from openhands_recipes.model.digest import Digest, digest_of
from openhands_recipes.model.index import WITHDRAWN, malformed
from openhands_recipes.model.kept import OtherRelease, Pin
from openhands_recipes.model.lock import Lock
from openhands_recipes.ports import RecipeStore
from openhands_recipes.ports.registries import OtherRegistries
from openhands_recipes.publish.index.choose import state_note
from openhands_recipes.publish.index.kept import read_kept

BLOCKED = "OHR443"


class ForeignLevel(NamedTuple):
    """A member of a lineage that another registry has released."""

    parsed: ParsedRecipe
    lock: Lock
    digest: Digest
    """Of the lock file as it was released."""
    pin: Pin | None
    """Of a module that a recipe of ours names; None for what comes with one."""


ForeignLevels = Mapping[str, ForeignLevel]


@dataclass(frozen=True)
class Choosing:
    """How releases are chosen: for a new lock, or for one that there is."""

    locking: bool = False
    """Pins of withdrawn releases are let go."""
    update: bool = False
    """No pin counts."""


def foreign_levels(
    store: RecipeStore, name: str, recipes: Mapping[str, ParsedRecipe], choosing: Choosing
) -> ForeignLevels:
    """Everything of other registries in a recipe's lineage; `recipes` holds what is ours of it.

    Raises:
        ResolutionError: some of it is not to be had; carries every fault.
        VerificationError: an index cannot be trusted, or a pinned release was blocked.
        DownloadError: an index that is needed cannot be reached.
    """
    wishes = wishes_of(name, recipes)
    if not wishes:
        return {}
    pins = {} if choosing.update else pins_for(store, local_lineage(name, recipes))
    levels: dict[str, ForeignLevel] = {}
    faults: list[Fault] = []
    for base, wanted in wishes.items():
        try:
            _add(levels, _brought(store.registries, base, wanted, pins.get(base), choosing))
        except ResolutionError as error:
            faults += [_fault(wish, error) for wish in wanted]
    if faults:
        raise error_of(faults, ResolutionError)
    return levels


def pins_for(store: RecipeStore, members: Sequence[str]) -> dict[str, Pin]:
    """What the locks of some recipes pin; of two releases of one module the newer."""
    found: dict[str, Pin] = {}
    for member in members:
        stored = store.lock(member)
        for pin in pins_of(stored.content) if stored is not None else ():
            known = found.get(pin.base)
            if known is None or _is_newer(pin, known):
                found[pin.base] = pin
    return found


def check_pins(content: bytes, members: Sequence[str], levels: ForeignLevels, *, file: str) -> None:
    """Make sure that a lock pins the releases its recipe gets: another one may come with equal locks.

    Raises:
        StaleLockError: it pins others.
    """
    chosen = {name: levels[name].pin for name in members if name in levels and levels[name].pin is not None}
    pinned = {pin.base: pin for pin in pins_of(content)}
    for name, pin in chosen.items():
        known = pinned.get(name)
        if known != pin and pin is not None:
            before = known.label if known is not None else "nothing"
            owner = members[-1]
            raise StaleLockError(
                f"the lock of '{owner}' is stale: it pins {before} of '{name}', which is {pin.label} now",
                where=file, hint=f"run `ohr lock {owner}`",
            )  # fmt: skip


def look_at_pins(store: RecipeStore, name: str) -> None:
    """See that nothing a recipe's lock pins was blocked; warn of what else was withdrawn.

    Raises:
        VerificationError: a pinned release was blocked.
    """
    registries = store.registries
    if registries is not None:
        for pin in pins_for(store, [name]).values():
            _is_withdrawn(registries, pin, quiet=False)


def _is_newer(pin: Pin, known: Pin) -> bool:
    if pin.version == known.version:
        return pin.revision > known.revision
    return allows(f">{known.version}", pin.version)


def _brought(
    registries: OtherRegistries | None, base: str, wanted: Sequence[Wish], pin: Pin | None, choosing: Choosing
) -> dict[str, ForeignLevel]:
    """The levels of one module, by the pin if it will do, else by the index."""
    registry, _, name = base.partition("/")
    known = _known(registries, registry, base)
    fits = pin is not None and all(allows(text, pin.version) for text in ranges_of(wanted))
    if pin is not None and fits:
        withdrawn = _is_withdrawn(known, pin, quiet=choosing.locking)
        if not (withdrawn and choosing.locking):
            return _levels(known, pin)
    release = known.newest(registry, name, ranges_of(wanted))
    if release.state.name != "active":
        known.warn(state_note(base, release.label, release.state))
    return _levels(known, _pin(release))


def _known(registries: OtherRegistries | None, registry: str, base: str) -> OtherRegistries:
    if registries is None:
        raise ResolutionError(
            f"'{base}' belongs to another registry, and none can be asked here",
            hint="other registries are read by `ohr` in a project that trusts them",
        )
    if registry == registries.own:
        hint = f"write '{base.partition('/')[2]}': '{registry}' is this registry"
        raise ResolutionError(f"'{base}' belongs to this registry", hint=hint)
    if registry not in registries.names():
        hint = "add it below `registries:` of registry.yaml with the url and the trusted root of its index"
        near = did_you_mean(registry, registries.names())
        raise ResolutionError(f"registry.yaml knows no registry '{registry}'", hint=near or hint)
    return registries


def _is_withdrawn(registries: OtherRegistries, pin: Pin, *, quiet: bool) -> bool:
    """Whether a pinned release may not be locked any more.

    Raises:
        VerificationError: it was blocked, and this is not to choose another one.
    """
    registry, _, name = pin.base.partition("/")
    state = registries.state(registry, name, pin.label)
    if state is None or state.name == "active":
        return False
    if state.name == "blocked" and not quiet:
        raise VerificationError(
            state_note(pin.base, pin.label, state), code=BLOCKED,
            hint="blocked releases are never used again; `ohr lock` chooses another one",
        )  # fmt: skip
    if not quiet or state.name not in WITHDRAWN:
        registries.warn(state_note(pin.base, pin.label, state))
    return state.name in WITHDRAWN


def _pin(release: OtherRelease) -> Pin:
    base = f"{release.registry}/{release.name}"
    if release.kept is None:
        raise ResolutionError(
            f"{base} {release.label} is not kept for others to extend",
            hint="it extends another registry itself, or its index was made without its recipes' history",
        )
    return Pin(base, release.version, release.revision, release.lock, release.kept)


def _levels(registries: OtherRegistries, pin: Pin) -> dict[str, ForeignLevel]:
    registry, _, name = pin.base.partition("/")
    levels: dict[str, ForeignLevel] = {}
    for kept in read_kept(registries.kept(registry, pin.kept), name=name, lock=pin.lock):
        place = f"{registry}/{kept.name}"
        try:
            parsed = adopted(parse(kept.recipe, file=f"{place}/recipe.yaml"), registry)
            lock = adopted_lock(read_lock(kept.lock, file=f"{place}/recipe.lock.json"), registry)
        except InvalidRecipeError as error:
            raise ResolutionError(
                f"{pin.base} {pin.label} cannot be understood: {error.message}", hint=error.hint
            ) from error
        own = pin if kept.name == name else None
        levels[place] = ForeignLevel(parsed, lock, digest_of(kept.lock), own)
    if levels[pin.base].parsed.recipe.version != pin.version:
        raise malformed(f"what the index keeps of {pin.base} {pin.label} has another version")
    return levels


def _add(levels: dict[str, ForeignLevel], more: Mapping[str, ForeignLevel]) -> None:
    """Put levels together; two modules may come with the same ancestor, not with two states of one."""
    for name, level in more.items():
        known = levels.get(name)
        if known is not None and (known.digest, known.parsed.recipe) != (level.digest, level.parsed.recipe):
            raise ResolutionError(
                f"its '{name}' is another one than that of a module named beside it",
                hint="choose versions that were released on the same ancestors",
            )
        if known is None or known.pin is None:
            levels[name] = level


def _fault(wish: Wish, error: RecipesError) -> Fault:
    code = f" ({error.code})" if error.code else ""
    message = f"recipe '{wish.by.name}' extends '{wish.entry}' of another registry: {error.message}{code}"
    return wish.by.fault(Code.OTHER_REGISTRY, message, "extends", wish.position, hint=error.hint)
