"""From a locked recipe to an image in the cache.

Layers of one level, bottom up: archives of Debian packages, their configuration, applications and language
packages, the recipe's own files. Each is packed once for every image that has it.
"""

from __future__ import annotations

from openhands_recipes.compile.oci.image import assemble
from openhands_recipes.compile.oci.settings import image_settings
from openhands_recipes.errors import OutsideError, UsageError
from openhands_recipes.flows.chain import Library
from openhands_recipes.flows.fast_path import Built, built_before, image_key
from openhands_recipes.flows.levels import stack_levels
from openhands_recipes.flows.mounted import remember_trees
from openhands_recipes.flows.packing import Packing
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.image import Compression
from openhands_recipes.model.platform import Platform

EMULATION = "install QEMU's user mode emulation (Debian: `apt-get install qemu-user-static binfmt-support`)"


def build(shop: Workshop, name: str, *, platform: Platform, compression: Compression) -> Built:
    """Build a recipe's image, or find that nothing has changed.

    Raises:
        StaleLockError: the lock is missing or belongs to something else.
        DownloadError: a locked part cannot be had any more.
        VerificationError: bytes are not what the lock promises.
    """
    known = built_before(shop, name, platform=platform, compression=compression)
    if known is not None:
        return known
    chain = Library.of(shop.store).chain(name)
    if platform not in chain[-1].lock.platforms:
        raise UsageError(
            f"recipe '{name}' is not locked for {platform}",
            hint=f"it is locked for {', '.join(sorted(chain[-1].lock.platforms))}",
        )
    check_runs(shop, platform)
    with Packing(shop, compression) as packing:
        stack = stack_levels(shop, chain, platform, packing)
        with shop.progress.stage("pack"):
            layers = packing.layers(stack.all)
        reused = frozenset(
            layer.digest for layer, order in zip(layers, stack.all, strict=True) if packing.reused(order)
        )
    own = chain[-1]
    settings = image_settings(own.composed, created=own.lock.debian.release_date, lock=own.digest)
    image = assemble(own.name, own.composed.version, platform, layers, settings)
    shop.blobs.add(image.config)
    shop.blobs.add(image.manifest)
    remember_trees(shop, image, stack)
    key = image_key(shop.store, name, platform=platform, compression=compression)
    if key is not None:
        shop.images.keep_image(key, image)
    return Built(image, reused, unchanged=False)


def check_runs(shop: Workshop, platform: Platform) -> None:
    """Refuse early what would end in "Exec format error": packages are configured by their own programs.

    Raises:
        OutsideError: programs of the platform do not run on this machine.
    """
    if not shop.runs(platform):
        raise OutsideError(
            f"this machine does not run programs of {platform}, and images are configured by their own",
            hint=f"{EMULATION}, or build on a machine of that kind; `ohr doctor` looks at it",
        )
