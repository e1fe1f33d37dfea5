"""Images over closures of a Nix store."""

# ruff: noqa: PLC0415 - a door is imported when it is first asked for
from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from openhands_recipes.cli.platforms import host_platform
from openhands_recipes.cli.world.flake import FlakeDoors
from openhands_recipes.cli.world.machine import cores
from openhands_recipes.cli.world.nix import NixDoors
from openhands_recipes.model.digest import digest_of, digest_of_json, hex_of

if TYPE_CHECKING:
    from openhands_recipes.adapters.store_fragments import StoreFragmentStore
    from openhands_recipes.flows.build_nix import NixShop
    from openhands_recipes.flows.nix_closure import ClosureShop


class ClosureDoors(NixDoors, FlakeDoors):
    """Store paths beside fragments of the cache."""

    @cached_property
    def store_fragments(self) -> StoreFragmentStore:
        """Fragments of the cache, and of store paths where they lie."""
        from openhands_recipes.adapters.nix_store_tree import StoreSteps
        from openhands_recipes.adapters.store_fragments import StoreFragmentStore
        from openhands_recipes.compile.nix.nar import frames, nar_hash
        from openhands_recipes.compile.pack.build import build_fragment
        from openhands_recipes.compile.pack.convert import CONVERTERS
        from openhands_recipes.compile.pack.store import LINKED, store_fragment
        from openhands_recipes.compile.pack.tar_write import header, padding

        steps = StoreSteps(store_fragment, frames, nar_hash, header, padding, LINKED)
        return StoreFragmentStore(
            self.cache, self.blobs, converters=CONVERTERS, build=build_fragment, workers=cores(), steps=steps
        )

    @cached_property
    def closure_shop(self) -> ClosureShop:
        """The doors of having a recipe's closure."""
        from openhands_recipes.flows.nix_closure import ClosureShop

        return ClosureShop(
            store=self.store,
            nix=lambda: self.nix,
            flake_folder=self._flake_folder,
            progress=self.progress,
            host=host_platform(),
        )

    def _flake_folder(self, files: Mapping[str, bytes]) -> Path:
        """A folder for a flake in the cache, named after what is in it."""
        digest = digest_of_json({path: digest_of(content) for path, content in files.items()})
        folder = self.cache.folder("flakes") / hex_of(digest)[:24]
        self.made_folders.put(folder, files, force=True)
        return folder

    @cached_property
    def nix_shop(self) -> NixShop:
        """The workshop whose layers may hold store paths."""
        from dataclasses import replace

        from openhands_recipes.adapters.packer import LayerPacker, PackSteps
        from openhands_recipes.compile.pack.codec import BLOCK, codec
        from openhands_recipes.compile.pack.layer import layer_chunks
        from openhands_recipes.flows.build_nix import NixShop

        steps = PackSteps(chunks=layer_chunks, codec=codec, block=BLOCK)
        packer = LayerPacker(self.store_fragments, self.image_store, self.blobs, steps=steps, workers=cores())
        shop = replace(self.workshop, fragments=self.store_fragments, packer=packer)
        return NixShop(shop, self.store_fragments)
