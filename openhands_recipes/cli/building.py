"""Have an image, for every verb that works on one: from the cache in milliseconds, or built now."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from openhands_recipes.flows.fast_path import Built, built_before
from openhands_recipes.flows.nix_fast_path import NixImage, Shape, nix_built_before

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World
    from openhands_recipes.model.image import Compression
    from openhands_recipes.model.platform import Platform

CALM = (50_000, 20, 50)
"""For the garbage collector: a build's ten thousands of entries live to its end, and none is in a cycle."""


def have_image(
    world: World,
    name: str,
    *,
    platform: Platform,
    compression: Compression = "zstd",
    shape: Shape = "debian",
) -> Built:
    """The image of a recipe as it stands.

    Raises:
        StaleLockError, DownloadError, VerificationError: as `flows.build.build` does.
    """
    if shape != "debian":
        return _over_closure(world, NixImage(name, platform, compression, shape))
    known = built_before(world.workshop, name, platform=platform, compression=compression)
    if known is not None:
        return known
    from openhands_recipes.flows.build import build  # noqa: PLC0415 - half a second of imports

    gc.set_threshold(*CALM)
    return build(world.workshop, name, platform=platform, compression=compression)


def _over_closure(world: World, wanted: NixImage) -> Built:
    known = nix_built_before(world.workshop, wanted)
    if known is not None:
        return known
    from openhands_recipes.flows.nix_images import build_from_nixpkgs  # noqa: PLC0415 - the same

    return build_from_nixpkgs(world.closure_shop, world.nix_shop, wanted)
