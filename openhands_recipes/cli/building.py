"""Have an image, for every verb that works on one: from the cache in milliseconds, or built now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openhands_recipes.flows.fast_path import Built, built_before

if TYPE_CHECKING:
    from openhands_recipes.cli.world import World
    from openhands_recipes.model.image import Compression
    from openhands_recipes.model.platform import Platform


def have_image(world: World, name: str, *, platform: Platform, compression: Compression = "zstd") -> Built:
    """The image of a recipe as it stands.

    Raises:
        StaleLockError, DownloadError, VerificationError: as `flows.build.build` does.
    """
    known = built_before(world.workshop, name, platform=platform, compression=compression)
    if known is not None:
        return known
    from openhands_recipes.flows.build import build  # noqa: PLC0415 - half a second of imports

    return build(world.workshop, name, platform=platform, compression=compression)
