"""Nix: the machine's where it is new enough, else our own in a sandbox."""

# ruff: noqa: PLC0415 - a door is imported when it is first asked for
from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from openhands_recipes.cli.platforms import host_platform, this_platform
from openhands_recipes.cli.world.build import BuildDoors
from openhands_recipes.errors import UsageError

if TYPE_CHECKING:
    from openhands_recipes import ports
    from openhands_recipes.adapters.nix.boxed import NixImage
    from openhands_recipes.adapters.nix.machine import FoundNix
    from openhands_recipes.flows.doctor import Check
    from openhands_recipes.flows.nix_closure import ClosureShop
    from openhands_recipes.model.settings import BinaryCaches
    from openhands_recipes.ports import Ability, BoxFile

EMBEDDED, MACHINE = "embedded", "machine"


class NixDoors(BuildDoors):
    """The one Nix of a run.

    `OHR_NIX=machine|embedded` chooses; `OHR_NIXPKGS` names a copy of the pinned nixpkgs.
    """

    @cached_property
    def nix(self) -> ports.Nix:
        """Evaluates and builds flakes.

        Raises:
            UsageError: the machine's Nix is asked for, and there is none that is new enough.
        """
        from openhands_recipes.adapters.nix.boxed import BoxedNix
        from openhands_recipes.adapters.nix.calls import Runner, Steps
        from openhands_recipes.adapters.nix.machine import MachineNix
        from openhands_recipes.adapters.nix.store import Caches, StoreNix
        from openhands_recipes.compile.nix.complaint import failure
        from openhands_recipes.compile.nix.log import NixLog
        from openhands_recipes.compile.nix.store_paths import store_paths, tree_path

        found = self._machines_nix()
        steps = Steps(log=NixLog, failure=failure, store_paths=store_paths, tree_path=tree_path)
        runner: Runner = MachineNix(found, self.cache) if found else BoxedNix(self._nix_image, self.cache)
        known = self.binary_caches
        caches = Caches(known.substituters, known.trusted_public_keys, only=found is None)
        return StoreNix(runner, steps, caches, nixpkgs=os.environ.get("OHR_NIXPKGS", ""))

    @cached_property
    def closure_shop(self) -> ClosureShop:
        """The doors of locking and building from nixpkgs."""
        from openhands_recipes.adapters.nix.flakes import FlakeFolders
        from openhands_recipes.flows.nix_closure import ClosureShop

        return ClosureShop(
            store=self.store,
            nix=lambda: self.nix,
            flake_folder=FlakeFolders(self.cache).put,
            progress=self.progress,
            host=host_platform(),
        )

    @cached_property
    def binary_caches(self) -> BinaryCaches:
        """The binary caches this registry trusts."""
        from openhands_recipes.compile.recipe.settings import parse_settings

        stored = self.store.settings()
        return parse_settings(stored.content, file=stored.file).nix

    def _machines_nix(self) -> FoundNix | None:
        """The machine's Nix if it is to be used; says why where one is passed over."""
        from openhands_recipes.adapters.nix.machine import OLDEST, find_nix

        wish = os.environ.get("OHR_NIX", "")
        if wish not in ("", EMBEDDED, MACHINE):
            raise UsageError(
                f"OHR_NIX is {wish!r}", hint=f"set it to {MACHINE} or {EMBEDDED}, or leave it out"
            )
        if wish == EMBEDDED:
            return None
        found = find_nix()
        oldest = ".".join(map(str, OLDEST))
        if found is not None and found.new_enough:
            return found
        if wish == MACHINE:
            has = f"only Nix {found.version}" if found else "no Nix"
            raise UsageError(
                f"OHR_NIX={MACHINE}, but this machine has {has}",
                hint=f"install Nix {oldest} or newer, or leave OHR_NIX out",
            )
        if found is not None:
            self.say(f"Nix {found.version} ({found.program}) is older than {oldest}: using our own instead")
        return None

    def _nix_image(self) -> NixImage:
        """Our own Nix: the image of the recipe `nix`, from the cache or built now."""
        from openhands_recipes.adapters.nix.boxed import NixImage, stands_for
        from openhands_recipes.flows.fast_path import built_before
        from openhands_recipes.flows.mounted import trees_of
        from openhands_recipes.flows.run import image_files

        platform = this_platform()
        built = built_before(self.workshop, "nix", platform=platform, compression="zstd")
        if built is None:
            from openhands_recipes.flows.build import build

            self.say("building our own Nix, once")
            built = build(self.workshop, "nix", platform=platform, compression="zstd")
        image, caller = built.image, stands_for()
        shop = self.workshop if caller is None else self.workshop_for_caller(*caller)
        trees = trees_of(shop, image)

        def offer() -> tuple[tuple[BoxFile, ...], Mapping[str, str]]:
            with image_files(shop, image) as read:
                return self.network_offer(read, None)

        return NixImage(image.version, lambda options: shop.engine.open(trees, options), offer)

    def clean_cache(self, *, unused_days: float | None) -> None:
        """Clear the cache, the trees in which our own Nix runs for users other than root among it."""
        from openhands_recipes.adapters.nix.boxed import stands_for

        caller = stands_for()
        if caller is not None and unused_days is None and (self.cache.root / "sandbox").is_dir():
            from openhands_recipes.adapters.sandbox.engine import NamespaceEngine

            NamespaceEngine(self.cache.folder("sandbox"), caller=caller).clear()
        super().clean_cache(unused_days=unused_days)

    def checks(self) -> tuple[Check, ...]:
        """What `ohr doctor` looks at, Nix among it."""
        from openhands_recipes.flows.doctor import Check

        return (*super().checks(), Check("nix", self._look_for_nix, needed=False))

    def _look_for_nix(self) -> Iterable[Ability]:
        from openhands_recipes.adapters.nix.machine import OLDEST, find_nix
        from openhands_recipes.ports import Ability

        found = None if os.environ.get("OHR_NIX") == EMBEDDED else find_nix()
        if found is not None and found.new_enough:
            yield Ability("nix", ok=True, detail=f"{found.version} of this machine ({found.program})")
            return
        oldest = ".".join(map(str, OLDEST))
        old = f"; this machine's {found.version} is older than {oldest}" if found else ""
        yield Ability("nix", ok=True, detail=f"our own, in a sandbox{old}")
