"""`ohr build --from nixpkgs`: a locked closure in the store, then an image over it."""

from __future__ import annotations

from openhands_recipes.compile.nix.closure import read_closure
from openhands_recipes.compile.nix.image import contract_levels
from openhands_recipes.flows.build_nix import ClosureLevels, NixShop, build_hybrid
from openhands_recipes.flows.chain import Library
from openhands_recipes.flows.fast_path import Built
from openhands_recipes.flows.nix_closure import ClosureShop, have_closure
from openhands_recipes.flows.nix_fast_path import NixImage, nix_built_before, remember
from openhands_recipes.model.composed import Composed
from openhands_recipes.model.digest import digest_of
from openhands_recipes.model.nix import ClosureLock
from openhands_recipes.model.platform import Platform


def build_from_nixpkgs(closures: ClosureShop, nix: NixShop, wanted: NixImage) -> Built:
    """Build a recipe's image over its closure, or find that nothing has changed.

    Raises:
        StaleLockError: a lock is missing or belongs to something else.
        VerificationError: the closure, or a path of it, is not what was promised.
    """
    known = nix_built_before(nix.shop, wanted)
    if known is not None:
        return known
    library = Library.of(nix.shop.store)
    composed = library.composed(wanted.name)
    locked = have_closure(closures, library, wanted.name, wanted.platform)
    levels = _levels(closures, library, composed, locked, wanted.platform)
    built = build_hybrid(nix, wanted.name, levels, platform=wanted.platform, compression=wanted.compression)
    remember(nix.shop, wanted, built.image, composed.lineage, contract=contract_levels(composed))
    return built


def _levels(
    closures: ClosureShop, library: Library, composed: Composed, locked: ClosureLock, platform: Platform
) -> ClosureLevels:
    """The closures of a lineage; with ancestors never locked from nixpkgs no layers are shared."""
    found = []
    for member in composed.lineage[:-1]:
        stored = library.store.closure(member)
        known = read_closure(stored.content, file=stored.file).platforms.get(platform) if stored else None
        if known is not None:
            found.append((member, known))
    own = locked.platforms[platform]
    stored = library.store.closure(composed.name)
    return ClosureLevels(
        own=own,
        all=(*found, (composed.name, own)),
        digest=digest_of(stored.content if stored else b""),
        last_modified=locked.nixpkgs.last_modified,
        folder=lambda path: closures.nix().folder(path),
    )
