"""`ohr lock --from nixpkgs`: the closures of recipes, written to recipe.closure.json.

A closure is written when all of it is known, in one step. A platform nobody here can build for is locked only
where a binary cache has it ready; else it keeps the closure it has, if that is fresh, or goes without.
"""

from __future__ import annotations

from collections.abc import Sequence

from openhands_recipes.compile.nix.closure import (
    check_fresh_closure,
    closure_changes,
    closure_inputs,
    flake_digest,
    read_closure,
    write_closure,
)
from openhands_recipes.errors import InvalidRecipeError, NixError, OutsideError, StaleLockError
from openhands_recipes.flows.chain import Library
from openhands_recipes.flows.flake import Flake, compile_flake
from openhands_recipes.flows.lock import LockOptions, LockReport
from openhands_recipes.flows.nix_closure import ClosureShop, built_closure
from openhands_recipes.model.nix import ClosureLock, ClosurePlatform
from openhands_recipes.model.platform import Platform


def lock_closures(shop: ClosureShop, names: Sequence[str], options: LockOptions) -> tuple[LockReport, ...]:
    """Lock the closures of recipes.

    Raises:
        ResolutionError: nixpkgs lacks what a recipe asks for.
        NixError, VerificationError, OutsideError: as `ports.Nix` does.
    """
    library = Library.of(shop.store)
    return tuple(_lock_one(shop, library, name, options) for name in dict.fromkeys(names))


def _lock_one(shop: ClosureShop, library: Library, name: str, options: LockOptions) -> LockReport:
    flake = compile_flake(library, name)
    stored = shop.store.closure(name)
    file = stored.file if stored else ""
    old = _readable(library, name)
    fresh = old is not None and _stale_reason(library, flake, old) is None
    platforms = options.platforms or library.platforms(library.composed(name))
    kept = dict(old.platforms) if old is not None and fresh else {}
    wanted = platforms if options.update else tuple(p for p in platforms if p not in kept)
    if not wanted:
        return LockReport(name, file, False, (), "up to date")
    made, skipped = _closures(shop, library, flake, wanted, demanded=bool(options.platforms))
    new = ClosureLock(
        recipe=name,
        version=flake.data.version,
        flake=flake_digest(flake.files),
        inputs=closure_inputs(flake.data),
        nixpkgs=library.settings.pins.nixpkgs,
        platforms=dict(sorted((kept | made).items())),
    )
    if not made:  # nothing was learned: at most the other platform's skips are told again
        return LockReport(name, file, False, (), "up to date", skipped)
    content = write_closure(new)
    changed = stored is None or stored.content != content
    if changed:
        file = shop.store.write_closure(name, content)
    return LockReport(name, file, changed, closure_changes(old, new), "", skipped)


def _closures(
    shop: ClosureShop, library: Library, flake: Flake, platforms: Sequence[Platform], *, demanded: bool
) -> tuple[dict[Platform, ClosurePlatform], tuple[tuple[Platform, str], ...]]:
    """What can be locked here, this machine's platform first: its faults are the recipe's."""
    made: dict[Platform, ClosurePlatform] = {}
    skipped: list[tuple[Platform, str]] = []
    for platform in sorted(platforms, key=lambda p: (p != shop.host, p)):
        try:
            made[platform] = built_closure(shop, library, flake, platform)
        except (NixError, OutsideError) as error:
            if platform == shop.host or demanded:
                raise
            skipped.append((platform, error.message))
    return made, tuple(skipped)


def _readable(library: Library, name: str) -> ClosureLock | None:
    stored = library.store.closure(name)
    if stored is None:
        return None
    try:
        return read_closure(stored.content, file=stored.file)
    except InvalidRecipeError:
        return None


def _stale_reason(library: Library, flake: Flake, old: ClosureLock) -> str | None:
    try:
        check_fresh_closure(old, flake.data, library.settings.pins.nixpkgs, file="")
    except StaleLockError as error:
        return error.message
    return None
