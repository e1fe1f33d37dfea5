"""A recipe's closure: found in the store or built, and proved to be the one its lock promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from openhands_recipes.compile.nix.closure import (
    check_closure,
    check_fresh_closure,
    flake_digest,
    read_closure,
)
from openhands_recipes.errors import NixError, OutsideError, StaleLockError
from openhands_recipes.flows.chain import Library
from openhands_recipes.flows.flake import Flake, compile_flake
from openhands_recipes.flows.nix_explain import explained
from openhands_recipes.model.nix import NIX_SYSTEM, ClosureLock, ClosurePlatform
from openhands_recipes.model.platform import Platform
from openhands_recipes.ports import Nix, Progress, RecipeStore


@dataclass(frozen=True)
class ClosureShop:
    """The doors of locking and building from nixpkgs."""

    store: RecipeStore
    nix: Callable[[], Nix]
    flake_folder: Callable[[Mapping[str, bytes]], Path]
    """Puts the files of a flake somewhere for Nix to read, and leaves them there."""
    progress: Progress
    host: Platform | None


def environment_of(platform: Platform) -> str:
    """The attribute of a recipe's flake whose closure is locked."""
    return f"packages.{NIX_SYSTEM[platform]}.default"


def built_closure(shop: ClosureShop, library: Library, flake: Flake, platform: Platform) -> ClosurePlatform:
    """Build a flake's environment, or fetch it ready-made where its platform's programs do not run.

    Raises:
        ResolutionError: nixpkgs lacks what the recipe asks for; the message names its line.
        NixError, VerificationError, OutsideError: as `ports.Nix` does.
    """
    folder = shop.flake_folder(flake.files)
    nix, composed = shop.nix(), library.composed(flake.name)
    with (
        shop.progress.stage("nix build") as stage,
        explained(nix, folder, composed, system=NIX_SYSTEM[platform]),
    ):
        root = nix.build(folder, environment_of(platform), stage=stage, foreign=platform != shop.host)
    return ClosurePlatform(root=root, paths=nix.closure(root))


def locked_closure(library: Library, flake: Flake) -> ClosureLock:
    """The closure lock of a recipe, checked to belong to it and to the pinned nixpkgs.

    Raises:
        StaleLockError: there is none, or it belongs to something else.
        InvalidRecipeError: it cannot be read.
    """
    stored = library.store.closure(flake.name)
    if stored is None:
        raise StaleLockError(
            f"recipe '{flake.name}' was never locked from nixpkgs",
            hint=f"run `ohr lock --from nixpkgs {flake.name}`",
        )
    locked = read_closure(stored.content, file=stored.file)
    check_fresh_closure(locked, flake.data, library.settings.pins.nixpkgs, file=stored.file)
    return locked


def have_closure(shop: ClosureShop, library: Library, name: str, platform: Platform) -> ClosureLock:
    """Have a recipe's locked closure in the store, and prove that it is the one the lock promises.

    What is there already is not evaluated or built again. Trees are hashed by who packs them.

    Raises:
        StaleLockError: the lock is missing or belongs to something else.
        VerificationError: the same flake comes to other store paths or hashes than the lock promises.
    """
    flake = compile_flake(library, name)
    locked = locked_closure(library, flake)
    promised = locked.platforms.get(platform)
    if promised is None or _in_store(shop, promised) != promised:
        got = built_closure(shop, library, flake, platform)
        check_closure(locked, got, platform, flake=flake_digest(flake.files))
    return locked


def _in_store(shop: ClosureShop, promised: ClosurePlatform) -> ClosurePlatform | None:
    """A closure as the store has it; None when it is not there, whole."""
    nix = shop.nix()
    with suppress(NixError, OutsideError):
        for path in promised.paths:
            nix.folder(path.path)
        return ClosurePlatform(root=promised.root, paths=nix.closure(promised.root))
    return None
