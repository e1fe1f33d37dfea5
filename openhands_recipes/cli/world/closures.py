"""Images over closures of a Nix store."""

# ruff: noqa: PLC0415 - a door is imported when it is first asked for
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from openhands_recipes.cli.world.machine import cores
from openhands_recipes.cli.world.nix import NixDoors

if TYPE_CHECKING:
    from openhands_recipes.adapters.store_fragments import StoreFragmentStore
    from openhands_recipes.flows.build_nix import NixShop


class ClosureDoors(NixDoors):
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
