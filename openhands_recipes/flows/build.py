"""From a locked recipe to an image in the cache.

Layers of one level, bottom up: archives of Debian packages, their configuration, applications and language
packages, the recipe's own files. Each is packed once for every image that has it.
"""

from __future__ import annotations

from collections.abc import Sequence

from openhands_recipes.compile.oci.image import assemble
from openhands_recipes.compile.oci.root import own_files, with_folders
from openhands_recipes.compile.oci.settings import image_settings
from openhands_recipes.compile.pin import Chain, LockedLevel
from openhands_recipes.errors import UsageError
from openhands_recipes.flows.chain import Library
from openhands_recipes.flows.debian_level import DebianLevel, add_debian, epoch_of, known_real
from openhands_recipes.flows.fast_path import Built, built_before, image_key
from openhands_recipes.flows.mounted import remember_trees
from openhands_recipes.flows.node_level import add_node, npm_parts
from openhands_recipes.flows.packing import Packing
from openhands_recipes.flows.parts import deb_part, fragments_of
from openhands_recipes.flows.python_level import add_python, environment_files, wheel_parts
from openhands_recipes.flows.stack import Stack, order_of, paths_of
from openhands_recipes.flows.workshop import Workshop
from openhands_recipes.model.digest import Digest, digest_of_json
from openhands_recipes.model.fragment import Entry
from openhands_recipes.model.image import Compression
from openhands_recipes.model.platform import Platform
from openhands_recipes.ports import LayerOrder

ROOT_RULES = 1
"""Raise it when a recipe's own files become other bytes."""


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


def stack_levels(shop: Workshop, chain: Chain, platform: Platform, packing: Packing) -> Stack:
    """Every layer of a lineage, lowest first; fragments exist afterwards, packing is under way."""
    stack = Stack()
    _fetch_ahead(shop, chain, platform)
    for height in range(1, len(chain) + 1):
        _add_level(shop, stack, chain[:height], platform, packing)
    return stack


def _add_level(shop: Workshop, stack: Stack, chain: Chain, platform: Platform, packing: Packing) -> None:
    """The newest level's layers on top of the stack."""
    before = len(stack.all)
    level = chain[-1]
    debian = DebianLevel(level, platform, stack.configured)
    if not debian.empty:
        add_debian(shop, stack, debian, packing)
    add_python(shop, stack, chain, platform)
    add_node(shop, stack, chain, platform)
    _add_own_files(shop, stack, level, environment_files(chain, platform))
    packing.submit(stack.all[before:])


def _fetch_ahead(shop: Workshop, chain: Chain, platform: Platform) -> None:
    """Download and convert the packages of all levels at once: the network is never idle between levels."""
    below: Digest | None = None
    parts = []
    for height, level in enumerate(chain, 1):
        parts += wheel_parts(chain[:height], platform) + npm_parts(chain[:height], platform)
        debian = DebianLevel(level, platform, below)
        if debian.empty:
            continue
        if known_real(shop, debian) is None or shop.fragments.get(debian.key) is None:
            parts += [deb_part(deb) for deb in debian.debs]
        below = debian.key
    if parts:
        fragments_of(shop, parts)


def _add_own_files(
    shop: Workshop, stack: Stack, level: LockedLevel, environments: list[tuple[Entry, bytes]]
) -> None:
    mtime = epoch_of(level.lock.debian.release_date)
    made = [*environments, *own_files(level.composed, mtime=mtime)]
    if not made:
        return
    described = [[*entry, content.decode(errors="replace")] for entry, content in made]
    key = digest_of_json(["files", ROOT_RULES, _keys(stack.all), repr(described)])
    if shop.fragments.get(key) is None:
        shop.fragments.create(key, with_folders(made, paths_of(shop, tuple(stack.all)), mtime=mtime))
    stack.add(order_of(f"{level.name}/files", (key,)), debian=False)


def _keys(orders: Sequence[LayerOrder]) -> list[str]:
    return [order.key for order in orders]
