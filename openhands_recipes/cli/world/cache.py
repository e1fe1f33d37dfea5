"""What lies on this machine: recipes and the cache."""

# ruff: noqa: PLC0415 - a door is imported when it is first asked for
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from openhands_recipes.cli.world.machine import cores
from openhands_recipes.cli.world.talk import TalkDoors

if TYPE_CHECKING:
    from openhands_recipes import ports
    from openhands_recipes.adapters.blobs import BlobStore
    from openhands_recipes.adapters.cache_dir import CacheDir
    from openhands_recipes.adapters.cache_upkeep import Area
    from openhands_recipes.adapters.fragments import FragmentStore
    from openhands_recipes.adapters.image_store import LocalImageStore
    from openhands_recipes.ports.registries import OtherRegistries


class CacheDoors(TalkDoors):
    """Recipes, and everything that can be had again."""

    @cached_property
    def store(self) -> ports.RecipeStore:
        """The project's recipes, and the library that comes along."""
        from openhands_recipes.adapters.recipe_store import FolderStore

        return FolderStore(self.settings.root, registries=self.other_registries)

    @property
    def other_registries(self) -> OtherRegistries | None:
        """Registries whose recipes may be extended: known to whoever can read an index."""
        return None

    @cached_property
    def cache(self) -> CacheDir:
        """Where everything lies that can be had again."""
        from openhands_recipes.adapters.cache_dir import CacheDir

        return CacheDir(self.settings.cache) if self.settings.cache else CacheDir.default()

    def cache_areas(self) -> tuple[Area, ...]:
        """What the cache holds."""
        from openhands_recipes.adapters.cache_upkeep import areas

        return areas(self.cache.root)

    @cached_property
    def blobs(self) -> BlobStore:
        """Bytes by their digest."""
        from openhands_recipes.adapters.blobs import BlobStore

        return BlobStore(self.cache)

    @cached_property
    def records(self) -> ports.Records:
        """Small facts between runs."""
        from openhands_recipes.adapters.records import FileRecords

        return FileRecords(self.cache.folder("records"))

    @cached_property
    def fragments(self) -> FragmentStore:
        """Parts in the form layers are made of."""
        from openhands_recipes.adapters.fragments import FragmentStore
        from openhands_recipes.compile.pack.build import build_fragment
        from openhands_recipes.compile.pack.convert import CONVERTERS

        return FragmentStore(
            self.cache, self.blobs, converters=CONVERTERS, build=build_fragment, workers=cores()
        )

    @cached_property
    def image_store(self) -> LocalImageStore:
        """Packed layers and images."""
        from openhands_recipes.adapters.image_store import LocalImageStore
        from openhands_recipes.compile.pack.codec import codec_rules

        return LocalImageStore(self.cache, self.blobs, codec_rules=codec_rules)

    @cached_property
    def packer(self) -> ports.Packer:
        """Fragments into layers, on all cores."""
        from openhands_recipes.adapters.packer import LayerPacker, PackSteps
        from openhands_recipes.compile.pack.codec import BLOCK, codec
        from openhands_recipes.compile.pack.layer import layer_chunks

        steps = PackSteps(chunks=layer_chunks, codec=codec, block=BLOCK)
        return LayerPacker(self.fragments, self.image_store, self.blobs, steps=steps, workers=cores())
